import { ACCOUNT_ID, REGION } from '../cloudformation/template.ts';
import type { Access } from './dynamodb-accesses.ts';

type Body = Readonly<Record<string, unknown>>;

/** The ARNs that a request names, by the service in its target. What it lacks, its operation refuses. */
const RESOURCES: ReadonlyMap<string, (body: Body) => readonly string[]> = new Map([
  ['secretsmanager', ({ SecretId }: Body) => [arnOf('secretsmanager', 'secret:', SecretId)]],
  ['AWSEvents', ({ Entries }: Body) => busArns(Entries)],
  ['AmazonSQS', ({ QueueUrl, QueueName, SourceArn }: Body) => [queueArn(QueueUrl ?? QueueName ?? SourceArn)]],
  ['AmazonSSM', ({ Name }: Body) => [arnOf('ssm', 'parameter/', String(Name).replace(/^\//, ''))]],
]);

/** What policies call the services whose targets call them otherwise. */
const POLICY_NAMES: ReadonlyMap<string, string> = new Map([
  ['AWSEvents', 'events'],
  ['AmazonSQS', 'sqs'],
  ['AmazonSSM', 'ssm'],
]);

/**
 * What a request of AWS's JSON protocols needs, by the target that names its service and operation. Null for services
 * that the local stack does not know.
 */
export function awsAccesses(target: string, input: unknown): readonly Access[] | null {
  const [service = '', operation = ''] = target.split('.');
  const resources = RESOURCES.get(service);
  if (!resources) return null;
  // A batch of SQS needs the action of one: https://github.com/aws/serverless-application-model/issues/3633
  const name = service === 'AmazonSQS' ? operation.replace(/Batch$/, '') : operation;
  const action = `${POLICY_NAMES.get(service) ?? service}:${name}`;
  return resources(objectIn(input)).map((resource) => ({ action, resource }));
}

/** A resource is called by its name or by its ARN. */
function arnOf(service: string, type: string, nameOrArn: unknown): string {
  const given = String(nameOrArn);
  return given.startsWith('arn:') ? given : `arn:aws:${service}:${REGION}:${ACCOUNT_ID}:${type}${given}`;
}

function busArns(entries: unknown): string[] {
  const names = (Array.isArray(entries) ? entries : []).map(
    (entry: unknown) => objectIn(entry).EventBusName ?? 'default',
  );
  return [...new Set(names.map((name) => arnOf('events', 'event-bus/', name)))];
}

/** The URL of a queue ends with its account and its name. */
function queueArn(urlOrName: unknown): string {
  const [, account = ACCOUNT_ID, name = String(urlOrName)] =
    /([^/]+)\/([^/]+)$/.exec(String(urlOrName)) ?? [];
  return name.startsWith('arn:') ? name : `arn:aws:sqs:${REGION}:${account}:${name}`;
}

function objectIn(value: unknown): Body {
  return typeof value === 'object' && value !== null ? (value as Body) : {};
}
