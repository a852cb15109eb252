import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, type AppProps } from 'aws-cdk-lib';
import { functionNames } from '../../infra/bundle.ts';
import type { TidemarkContext } from '../../infra/context.ts';
import { TidemarkStack } from '../../infra/tidemark-stack.ts';

export const context: TidemarkContext = {
  stage: 'test',
  jwtIssuer: 'https://login.example.com/',
  jwtAudience: ['tidemark'],
  userScope: 'tidemark/user',
  serviceScope: 'tidemark/service',
  serviceAuth: 'jwt',
  upstashSecretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2',
  factsSource: 'chat',
  membership: 'strict',
  messageRetentionDays: 90,
  webhookConcurrency: 5,
  events: 'on',
  live: 'on',
};

export const contextWithWebhook: TidemarkContext = {
  ...context,
  webhookUrl: 'https://chat.example.com/hooks/tidemark',
};

export const contextWithCors: TidemarkContext = {
  ...context,
  corsOrigins: ['https://chat.example.com', 'http://localhost:5173'],
};

const { context: ofProject } = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'));

/** Builds the stack with empty bundles: the template does not depend on the code of the functions. */
export function inStack<T>(
  given: TidemarkContext,
  props: AppProps,
  use: (app: App, stack: TidemarkStack) => T,
): T {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-infra-'));
  try {
    for (const name of functionNames) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'index.mjs'), `export const handler = '${name}';\n`);
    }
    const app = new App({ outdir: join(folder, 'assembly'), context: ofProject, ...props });
    return use(app, new TidemarkStack(app, { context: given, bundles: folder }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, unknown>>;
}

/** The template in a readable form: logical ids without hashes, and references as `Id`, `Id.Attribute` or text. */
export function synthesize(given: TidemarkContext = context): Template {
  // Validating the template takes a second: a test of its own does it once.
  return inStack(given, { builtinCloudFormationValidation: false }, (app, stack) => {
    const template = app.synth().getStackByName(stack.stackName).template;
    return readable(template) as Template;
  });
}

export function ofType(template: Template, type: string): Readonly<Record<string, Resource>> {
  return Object.fromEntries(
    Object.entries(template.Resources).filter(([, resource]) => resource.Type === type),
  );
}

function readable(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(readable);
  if (typeof node !== 'object' || node === null) return node;
  const fields = Object.fromEntries(
    Object.entries(node).map(([key, value]) => [withoutHash(key), readable(value)]),
  );
  const { Ref: reference, 'Fn::GetAtt': attribute, 'Fn::Join': joined } = fields;
  if (typeof reference === 'string') return withoutHash(reference);
  if (Array.isArray(attribute)) return `${withoutHash(String(attribute[0]))}.${attribute[1]}`;
  if (Array.isArray(joined) && Array.isArray(joined[1])) return joined[1].join(String(joined[0]));
  return fields;
}

function withoutHash(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}$/, '');
}
