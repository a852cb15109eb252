import { readFileSync } from 'node:fs';
import { join, resolve as resolvePath } from 'node:path';
import * as v from 'valibot';

/** The synthesized template has something that AWS would refuse or that the local stack does not support. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

export const REGION = 'us-east-1';
export const ACCOUNT_ID = '000000000000';

export interface Resource {
  readonly logicalId: string;
  readonly type: string;
  /** With every intrinsic function resolved. */
  readonly properties: unknown;
}

/** A synthesized stack: its resources, with their names on this machine, and their assets. */
export interface Template {
  readonly stackName: string;
  readonly resources: readonly Resource[];
  /** The values of Ref and Fn::GetAtt for a resource. */
  identityOf(logicalId: string): Identity;
  /** The directory of the asset with this S3 key in the template. */
  assetDirectory(objectKey: string): string | undefined;
}

const Manifest = v.object({
  artifacts: v.record(
    v.string(),
    v.object({
      type: v.string(),
      properties: v.optional(
        v.object({ templateFile: v.optional(v.string()), file: v.optional(v.string()) }),
      ),
    }),
  ),
});

const Assets = v.object({
  files: v.record(
    v.string(),
    v.object({
      source: v.object({ path: v.string(), packaging: v.string() }),
      destinations: v.record(v.string(), v.object({ objectKey: v.string() })),
    }),
  ),
});

const RawTemplate = v.object({
  Resources: v.record(
    v.string(),
    v.object({
      Type: v.string(),
      Properties: v.optional(v.record(v.string(), v.unknown()), {}),
      Condition: v.optional(v.string()),
    }),
  ),
});

export type RawResources = v.InferOutput<typeof RawTemplate>['Resources'];

/** Reads a cloud assembly (`cdk.out`) of one stack. `change` can change the resources before they are resolved. */
export function loadTemplate(
  assemblyDirectory: string,
  change: (resources: RawResources) => RawResources = (resources) => resources,
): Template {
  const { artifacts } = readJson(Manifest, join(assemblyDirectory, 'manifest.json'));
  const stacks = Object.entries(artifacts).filter(
    ([, artifact]) => artifact.type === 'aws:cloudformation:stack',
  );
  const [stack] = stacks;
  const templateFile = stack?.[1].properties?.templateFile;
  if (stack === undefined || stacks.length > 1 || templateFile === undefined) {
    throw new TemplateError(`expected one stack in ${assemblyDirectory}, found ${stacks.length}`);
  }

  const assetDirectories = new Map<string, string>();
  for (const artifact of Object.values(artifacts)) {
    const file = artifact.type === 'cdk:asset-manifest' ? artifact.properties?.file : undefined;
    if (file === undefined) continue;
    for (const asset of Object.values(readJson(Assets, join(assemblyDirectory, file)).files)) {
      for (const { objectKey } of Object.values(asset.destinations)) {
        assetDirectories.set(objectKey, resolvePath(assemblyDirectory, asset.source.path));
      }
    }
  }

  const written = readJson(RawTemplate, join(assemblyDirectory, templateFile));
  const raw = { ...written, Resources: change(written.Resources) };
  return {
    stackName: stack[0],
    ...resolveResources(stack[0], raw),
    assetDirectory: (objectKey) => assetDirectories.get(objectKey),
  };
}

/**
 * The stacks of several apps as one template, as they stand side by side in one account. The logical ids of the others begin
 * with the name of their stack.
 *
 * @throws TemplateError where two resources of a type have one name
 */
export function joinTemplates(first: Template, others: readonly Template[]): Template {
  const identities = new Map<string, () => Identity>();
  const assets: Template['assetDirectory'][] = [first.assetDirectory];
  const resources = [...first.resources];
  for (const other of others) {
    assets.push(other.assetDirectory);
    for (const resource of other.resources) {
      const logicalId = `${other.stackName}/${resource.logicalId}`;
      identities.set(logicalId, () => other.identityOf(resource.logicalId));
      resources.push({ ...resource, logicalId });
    }
  }
  const joined: Template = {
    stackName: first.stackName,
    resources,
    identityOf: (logicalId) => identities.get(logicalId)?.() ?? first.identityOf(logicalId),
    assetDirectory: (objectKey) => assets.map((directoryOf) => directoryOf(objectKey)).find(Boolean),
  };
  requireOwnNames(joined);
  return joined;
}

function requireOwnNames({ resources, identityOf }: Template): void {
  const owners = new Map<string, string>();
  for (const { logicalId, type } of resources.filter((resource) => resource.type in IDENTITIES)) {
    const { ref } = identityOf(logicalId);
    const owner = owners.get(`${type} ${ref}`);
    if (owner !== undefined) throw new TemplateError(`${logicalId} and ${owner} are both called ${ref}`);
    owners.set(`${type} ${ref}`, logicalId);
  }
}

function readJson<T extends v.GenericSchema>(schema: T, file: string): v.InferOutput<T> {
  const parsed = v.safeParse(schema, JSON.parse(readFileSync(file, 'utf8')));
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new TemplateError(`${file}: ${v.getDotPath(issue) ?? 'the file'}: ${issue.message}`);
}

function resolveResources(stackName: string, raw: v.InferOutput<typeof RawTemplate>) {
  const { resolve, identityOf } = createResolver(stackName, raw);
  const resources = Object.entries(raw.Resources)
    .filter(([, { Type }]) => Type !== 'AWS::CDK::Metadata')
    .map(([logicalId, { Type: type, Properties, Condition }]) => {
      if (Condition !== undefined) {
        throw new TemplateError(
          `${logicalId} (${type}) has a Condition, which the local stack does not support`,
        );
      }
      return { logicalId, type, properties: resolve(Properties, logicalId) };
    });
  return { resources, identityOf: (logicalId: string) => identityOf(logicalId, 'the local stack') };
}

export interface Identity {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

interface Self {
  /** The name in the template, or one from the stack's name and the logical id, which is the same at each start. */
  name(property: string): string;
  /** A property that must be in the template. */
  text(property: string): string;
}

const arn = (service: string, resource: string) => `arn:aws:${service}:${REGION}:${ACCOUNT_ID}:${resource}`;

/** The values of Ref and Fn::GetAtt, for each type that the template refers to. */
const IDENTITIES: Readonly<Record<string, (self: Self) => Identity>> = {
  'AWS::Lambda::Function': (self) => {
    const name = self.name('FunctionName');
    return { ref: name, attributes: { Arn: arn('lambda', `function:${name}`) } };
  },
  'AWS::DynamoDB::Table': (self) => {
    const name = self.name('TableName');
    const tableArn = arn('dynamodb', `table/${name}`);
    // AWS labels a stream with the time of its creation. Here a table has only one stream.
    return { ref: name, attributes: { Arn: tableArn, StreamArn: `${tableArn}/stream/local` } };
  },
  'AWS::Events::EventBus': (self) => {
    const name = self.name('Name');
    return { ref: name, attributes: { Arn: arn('events', `event-bus/${name}`) } };
  },
  'AWS::Events::Rule': (self) => {
    const name = self.name('Name');
    const bus = self.text('EventBusName');
    return { ref: `${bus}|${name}`, attributes: { Arn: arn('events', `rule/${bus}/${name}`) } };
  },
  'AWS::SQS::Queue': (self) => {
    const name = self.name('QueueName');
    const url = `https://sqs.${REGION}.amazonaws.com/${ACCOUNT_ID}/${name}`;
    return { ref: url, attributes: { Arn: arn('sqs', name), QueueName: name } };
  },
  'AWS::SecretsManager::Secret': (self) => ({
    ref: arn('secretsmanager', `secret:${self.name('Name')}`),
    attributes: {},
  }),
  'AWS::IAM::Role': (self) => {
    const name = self.name('RoleName');
    return { ref: name, attributes: { Arn: `arn:aws:iam::${ACCOUNT_ID}:role/${name}` } };
  },
  'AWS::Scheduler::ScheduleGroup': (self) => ({ ref: self.name('Name'), attributes: {} }),
  'AWS::Logs::LogGroup': (self) => {
    const name = self.name('LogGroupName');
    return { ref: name, attributes: { Arn: arn('logs', `log-group:${name}:*`) } };
  },
};

/** For resources that exist only on AWS: a reference to them needs only a name. */
const unknownIdentity = ({ logicalId, type }: { logicalId: string; type: string }): Identity => ({
  ref: logicalId,
  attributes: { Arn: arn((type.split('::')[1] ?? 'aws').toLowerCase(), logicalId) },
});

type Resolver = (value: unknown, where: string) => unknown;

function createResolver(stackName: string, raw: v.InferOutput<typeof RawTemplate>) {
  const resources: RawResources = raw.Resources;
  const identities = new Map<string, Identity>();
  const underWay = new Set<string>();
  const pseudoParameters: Readonly<Record<string, string>> = {
    'AWS::AccountId': ACCOUNT_ID,
    'AWS::Region': REGION,
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
  };

  const intrinsics: Readonly<Record<string, (argument: unknown, where: string) => unknown>> = {
    Ref: (argument, where) => refer(text(argument, where), where),
    'Fn::GetAtt': (argument, where) => {
      const [logicalId = '', attribute = ''] = list(argument, where).map((part) => text(part, where));
      return getAttribute(logicalId, attribute, where);
    },
    'Fn::Join': (argument, where) => {
      const [separator, parts] = list(argument, where);
      return list(resolve(parts, where), where)
        .map((part) => text(part, where))
        .join(text(separator, where));
    },
    'Fn::Sub': (argument, where) =>
      text(argument, where).replace(/\$\{([^}]+)\}/g, (_, name: string) => refer(name, where)),
  };

  const resolve: Resolver = (value, where) => {
    if (Array.isArray(value)) return value.map((item) => resolve(item, where));
    if (!isObject(value)) return value;
    const entries = Object.entries(value);
    const [first] = entries;
    if (entries.length === 1 && first !== undefined && (first[0] === 'Ref' || first[0].startsWith('Fn::'))) {
      const intrinsic = intrinsics[first[0]];
      if (intrinsic === undefined)
        throw new TemplateError(`${where}: the local stack does not support ${first[0]}`);
      return intrinsic(first[1], where);
    }
    return Object.fromEntries(entries.map(([key, item]) => [key, resolve(item, where)]));
  };
  return { resolve, identityOf };

  function refer(name: string, where: string): string {
    return pseudoParameters[name] ?? identityOf(name, where).ref;
  }

  function getAttribute(logicalId: string, attribute: string, where: string): string {
    const value = identityOf(logicalId, where).attributes[attribute];
    if (value === undefined) {
      throw new TemplateError(
        `${where}: the local stack does not support the attribute ${attribute} of ${logicalId} (${resources[logicalId]?.Type})`,
      );
    }
    return value;
  }

  function identityOf(logicalId: string, where: string): Identity {
    const known = identities.get(logicalId);
    if (known !== undefined) return known;
    const resource = resources[logicalId];
    if (resource === undefined)
      throw new TemplateError(`${where} refers to ${logicalId}, which does not exist`);
    if (underWay.has(logicalId))
      throw new TemplateError(`${where}: the name of ${logicalId} depends on itself`);
    underWay.add(logicalId);
    const property = (name: string) => text(resolve(resource.Properties[name], logicalId), logicalId);
    const identity =
      IDENTITIES[resource.Type]?.({
        name: (name) => (name in resource.Properties ? property(name) : `${stackName}-${logicalId}`),
        text: property,
      }) ?? unknownIdentity({ logicalId, type: resource.Type });
    underWay.delete(logicalId);
    identities.set(logicalId, identity);
    return identity;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown, where: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  throw new TemplateError(`${where}: expected a string, got ${JSON.stringify(value)}`);
}

function list(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TemplateError(`${where}: expected a list, got ${JSON.stringify(value)}`);
}
