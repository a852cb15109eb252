import { readContext, settingIn } from '../../infra/context.ts';
import {
  checkBootstrap,
  checkCredentials,
  checkRegion,
  checkSecret,
  findDeployer,
  notChecked,
  regionOf,
} from './aws.ts';
import { TIMEOUT_MS } from './bounds.ts';
import { about, type Finding } from './finding.ts';
import { checkIssuer } from './issuer.ts';
import { checkUpstash } from './upstash.ts';
import { checkWebhook } from './webhook.ts';

const context = about('context');

const QUALIFIER = '@aws-cdk/core:bootstrapQualifier';

export interface Examination {
  /** The context of the deployment. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly environment: NodeJS.ProcessEnv;
  /** The timeout of each call. */
  readonly timeoutMs?: number;
}

/** Checks everything that can be checked before a deployment. A setting that is not valid is not checked further. */
export async function* examine(examination: Examination): AsyncGenerator<Finding> {
  const { given, timeoutMs = TIMEOUT_MS } = examination;
  yield* checkContext(given);
  const issuer = settingIn(given, 'jwtIssuer');
  const webhookUrl = settingIn(given, 'webhookUrl');
  // The checks run at the same time. Their findings are listed in this order.
  const checks = [
    issuer === undefined ? [] : checkIssuer(issuer, timeoutMs),
    checkAccount(examination, timeoutMs),
    webhookUrl === undefined ? [] : checkWebhook(webhookUrl, timeoutMs),
  ];
  for (const check of checks) yield* [await check].flat();
}

function checkContext(given: Examination['given']): Finding[] {
  const reading = readContext(given);
  if (!reading.ok) return reading.problems.map(context.fail);
  const { stage, serviceAuth, userScope, alarmEmail, alarmTopicArn } = reading.context;
  const findings = [context.ok('each value has the right shape.')];
  if (serviceAuth === 'iam' && settingIn(given, 'serviceScope') !== undefined) {
    findings.push(context.warn('serviceScope has no effect with serviceAuth=iam: leave it out.'));
  }
  if (userScope === null) {
    findings.push(
      context.warn(
        "with userScope=none every valid token of the audience is a user's: issue no other tokens for that audience.",
      ),
    );
  }
  if (stage !== 'local' && alarmEmail === undefined && alarmTopicArn === undefined) {
    findings.push(context.warn('nobody receives alarms: pass -c alarmEmail=... or -c alarmTopicArn=...'));
  }
  return findings;
}

async function checkAccount({ given, environment }: Examination, timeoutMs: number): Promise<Finding[]> {
  const arn = settingIn(given, 'upstashSecretArn');
  if (arn === undefined) return [];
  const deployer = await findDeployer(environment, timeoutMs);
  const first = [checkRegion(deployer, arn), checkCredentials(deployer)];
  if (deployer.noCredentials !== null) return [...first, ...notChecked()];
  const qualifier = given[QUALIFIER];
  const [bootstrapped, { findings, access }] = await Promise.all([
    checkBootstrap(
      deployer.region ?? regionOf(arn),
      typeof qualifier === 'string' ? qualifier : 'hnb659fds',
      timeoutMs,
    ),
    checkSecret(arn, settingIn(given, 'stage') === 'local', timeoutMs),
  ]);
  const reached = access
    ? await checkUpstash(access, timeoutMs)
    : [about('Upstash').warn('not checked: its url and token are not known.')];
  return [...first, bootstrapped, ...findings, ...reached];
}
