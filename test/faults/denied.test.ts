import { expect, test } from '@jest/globals';
import type { RawResources } from '../../local/aws/cloudformation/template.ts';
import { engines, eventually, freshPrefix } from '../support/engines.ts';
import { withFaultStack } from '../support/fault-stack.ts';
import { withoutAction } from '../support/roles.ts';
import { startRunningStack } from '../support/running-stack.ts';

/** One action removed from the role of each of these functions, which do not depend on each other. */
const TAKEN = [
  ['mark-read', 'dynamodb:UpdateItem'],
  ['get-watermark', 'secretsmanager:GetSecretValue'],
  ['publish-events', 'events:PutEvents'],
  ['apply-facts', 'sqs:SendMessage'],
] as const;

const lines: string[] = [];

const faults = withFaultStack({
  changeResources: (resources) =>
    TAKEN.reduce((rest, [folder, action]) => withoutAction(rest, folder, action), resources),
  log: {
    line: (text) => lines.push(text),
    output: (name, text) => lines.push(...text.split('\n').map((line) => `${name}: ${line}`)),
  },
});

/** AWS's message if a function's role lacks a permission. */
const refusal = (folder: string, action: string, resource: string) =>
  new RegExp(
    `User: arn:aws:sts::000000000000:assumed-role/tidemark-local-[A-Za-z]+${folder.replace('-', '')}role[0-9A-F]{8}/` +
      `tidemark-local-${folder} is not authorized to perform: ${action} on resource: ${resource} ` +
      `because no identity-based policy allows the ${action} action`,
  );

test('a mark without the permission to write is neither acknowledged nor made', async () => {
  const groupId = await faults.api.openGroup(['sender', 'ann'], 3);
  const answer = await faults.api.mark(groupId, 'ann', 3);
  expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  expect(answer.retryAfter).toBe('1');
  expect(JSON.stringify(answer.body)).not.toContain('arn:');
  const said = refusal(
    'mark-read',
    'dynamodb:UpdateItem',
    'arn:aws:dynamodb:us-east-1:000000000000:table/tidemark-local-LedgerTable[0-9A-F]{8}',
  );
  await eventually(() => expect(lines).toContainEqual(expect.stringMatching(said)));
  expect(await faults.api.watermark(groupId, 'ann')).toMatchObject({
    status: 200,
    body: { messageId: null, unread: { count: 3, mentions: 0, firstId: '1', exact: true } },
  });
});

test('without the permission to read the cache’s secret, reads use the ledger', async () => {
  const groupId = await faults.api.openGroup(['sender', 'ben'], 3);
  expect(await faults.api.watermark(groupId, 'ben')).toMatchObject({
    status: 200,
    body: { unread: { count: 3, mentions: 0, firstId: '1', exact: true } },
  });
  const said = refusal(
    'get-watermark',
    'secretsmanager:GetSecretValue',
    'arn:aws:secretsmanager:us-east-1:000000000000:secret:upstash-local1',
  );
  await eventually(() => expect(lines).toContainEqual(expect.stringMatching(said)));
});

test('without the permission to put events, an event is not on the bus', async () => {
  const groupId = await faults.api.openGroup(['sender', 'cem'], 3);
  const delivered = `/v1/groups/${groupId}/delivered`;
  expect(await faults.api.asUser('cem', 'PUT', delivered, { messageId: '3' })).toMatchObject({ status: 200 });
  const said = refusal(
    'publish-events',
    'events:PutEvents',
    'arn:aws:events:us-east-1:000000000000:event-bus/tidemark-local',
  );
  await eventually(() => expect(lines).toContainEqual(expect.stringMatching(said)));
  expect(faults.stack.bus.events).toEqual([]);
});

test('without the permission to send to the dead-letter queue, a fact stays in its queue, and the reason is logged', async () => {
  const groupId = freshPrefix();
  faults.putEvent('chat', 'MemberJoined', { groupId, userId: 'not valid' });
  const said = refusal(
    'apply-facts',
    'sqs:sendmessage',
    'arn:aws:sqs:us-east-1:000000000000:tidemark-local-apply-facts-dead-letters',
  );
  await eventually(() => expect(lines).toContainEqual(expect.stringMatching(said)));
  expect(await faults.api.deadLetters()).toEqual([]);
  expect(faults.queue('apply-facts').messages()).toHaveLength(1);
});

/** The error with which a stack with a changed template does not start. */
async function refusalOfStart(changeResources: (resources: RawResources) => RawResources): Promise<string> {
  try {
    const { dynamodbEndpoint, redisUrl } = engines;
    const stack = await startRunningStack({ changeResources, dynamodbEndpoint, redisUrl });
    await stack.stop();
    return 'it has started';
  } catch (error) {
    return String(error);
  }
}

test.each([
  [
    'read its stream',
    'project-ledger',
    'dynamodb:GetRecords',
    'arn:aws:dynamodb:us-east-1:000000000000:table/tidemark-local-LedgerTable[0-9A-F]{8}/stream/local',
  ],
  [
    'receive from its queue',
    'apply-facts',
    'sqs:ReceiveMessage',
    'arn:aws:sqs:us-east-1:000000000000:tidemark-local-apply-facts',
  ],
])('a function that may not %s stops the deployment', async (_what, folder, action, resource) => {
  const said = await refusalOfStart((resources) => withoutAction(resources, folder, action));
  // SQS writes the action in lower case.
  const named = action.startsWith('sqs:') ? 'sqs:receivemessage' : action;
  expect(said).toMatch(refusal(folder, named, resource));
});

test('a rule that its queue’s policy does not allow stops the deployment', async () => {
  const said = await refusalOfStart((resources) =>
    Object.fromEntries(Object.entries(resources).filter(([, { Type }]) => Type !== 'AWS::SQS::QueuePolicy')),
  );
  expect(said).toMatch(
    /^TemplateError: arn:aws:events:us-east-1:000000000000:rule\/\S+ may not send to tidemark-local-/,
  );
});
