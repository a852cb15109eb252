import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { synthesizeSubscriber } from '../../../local/aws/synthesis.ts';

const directory = mkdtempSync(join(tmpdir(), 'tidemark-subscriber-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** An app in plain JavaScript that writes one resource, with what it was given in a property. */
const app = (type: string, properties: string) => `
import { writeFileSync } from 'node:fs';
const { CDK_OUTDIR, CDK_CONTEXT_JSON, CDK_DEFAULT_ACCOUNT, CDK_DEFAULT_REGION } = process.env;
const context = JSON.parse(CDK_CONTEXT_JSON);
const write = (name, content) => writeFileSync(CDK_OUTDIR + '/' + name, JSON.stringify(content));
const template = { Resources: { One: { Type: '${type}', Properties: ${properties} } } };
write('template.json', template);
const properties = { templateFile: 'template.json' };
write('manifest.json', { artifacts: { 'a-stack': { type: 'aws:cloudformation:stack', properties } } });
`;

let folders = 0;
function folderWith(cdkJson: object | null, script: string): string {
  folders += 1;
  const folder = join(directory, String(folders));
  mkdirSync(folder);
  if (cdkJson) writeFileSync(join(folder, 'cdk.json'), JSON.stringify(cdkJson));
  writeFileSync(join(folder, 'app.mjs'), script);
  return folder;
}

const synthesized = (folder: string) => synthesizeSubscriber(folder, join(folder, 'out'), 'the-bus');

test('the app runs as the CDK’s command runs it, and its context has the name of the bus', async () => {
  const name = "[context.eventBusName, context.own, CDK_DEFAULT_ACCOUNT, CDK_DEFAULT_REGION].join('_')";
  const script = app('AWS::SQS::Queue', `{ QueueName: ${name} }`);
  const folder = folderWith(
    { app: 'node app.mjs', context: { own: 'setting', eventBusName: 'other' } },
    script,
  );
  const template = await synthesized(folder);
  expect(template.stackName).toBe('a-stack');
  expect(template.identityOf('One').attributes.QueueName).toBe('the-bus_setting_000000000000_us-east-1');
});

test.each([
  ['without cdk.json', null, '', /ENOENT.*cdk\.json/],
  ['without an app', {}, '', /its cdk\.json has no app$/],
  [
    'that fails',
    { app: 'node app.mjs' },
    "console.error('no such account'); process.exit(1);",
    /no such account$/,
  ],
  [
    'with a resource that the local stack does not play',
    { app: 'node app.mjs' },
    app('AWS::SNS::Platform', '{}'),
    /One: the local stack does not support AWS::SNS::Platform$/,
  ],
  [
    'with a property that the local stack does not play',
    { app: 'node app.mjs' },
    app('AWS::SQS::Queue', '{ DelaySeconds: 5 }'),
    /One \(AWS::SQS::Queue\): DelaySeconds: /,
  ],
])('a subscriber %s is refused, and the message names its folder', async (_name, cdkJson, script, reason) => {
  const folder = folderWith(cdkJson, script);
  const refusal = await synthesized(folder).catch((error: unknown) => error);
  expect(refusal).toMatchObject({
    name: 'UsageError',
    message: expect.stringMatching(reason),
  });
  expect(String(refusal)).toContain(`The subscriber in ${folder} cannot be deployed: `);
});
