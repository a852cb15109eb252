import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { BOOTSTRAP_VERSION } from '../../operate/doctor/aws.ts';
import { context as complete, inStack } from './synthesized.ts';

test('with a context that is not valid, the synthesis prints what to pass and writes nothing', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'tidemark-infra-'));
  const context = {
    stage: 'prod',
    webhookurl: 'https://chat.example.com/hook',
    jwtIssuer: 'login.example.com',
    upstashSecretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2',
  };
  const { status, stderr } = spawnSync(process.execPath, ['infra/app.ts'], {
    cwd: new URL('../..', import.meta.url),
    env: { CDK_OUTDIR: outdir, CDK_CONTEXT_JSON: JSON.stringify(context) },
    encoding: 'utf8',
  });
  expect(stderr).toBe(
    'The context of this deployment is not valid:\n' +
      '- webhookurl is not known; did you mean webhookUrl?\n' +
      '- jwtIssuer is "login.example.com". It must be an https URL, exactly as it stands in the "iss" of your tokens, ' +
      "of a host that the internet reaches. Pass for example: -c jwtIssuer='https://login.example.com/'\n" +
      '- jwtAudience is missing. It must be the "aud" of your tokens; several are separated by commas without blanks. ' +
      "Pass for example: -c jwtAudience='tidemark'\n",
  );
  expect(status).toBe(1);
  expect(readdirSync(outdir)).toEqual([]);
  rmSync(outdir, { recursive: true });
});

test('cdk synth --quiet prints nothing', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'tidemark-infra-'));
  const context = [
    'stage=prod',
    'jwtIssuer=https://login.example.com/',
    'jwtAudience=tidemark',
    'upstashSecretArn=arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2',
  ].flatMap((setting) => ['--context', setting]);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['node_modules/aws-cdk/bin/cdk', 'synth', '--quiet', '--output', outdir, ...context],
    { cwd: new URL('../..', import.meta.url), encoding: 'utf8' },
  );
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  rmSync(outdir, { recursive: true });
});

test('the template requires the bootstrap version that doctor checks', () => {
  const required = inStack(
    complete,
    { builtinCloudFormationValidation: false },
    (app, stack) => app.synth().getStackByName(stack.stackName).requiresBootstrapStackVersion,
  );
  expect(required).toBe(6);
  expect(BOOTSTRAP_VERSION).toBe(6);
});
