import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { UsageError } from '../command/usage-error.ts';
import { closeToOthers, makePrivateDirectory } from '../data/private-files.ts';
import { AUDIENCE, ISSUER } from '../identity/issuer.ts';
import { checkProperties, checkTypes } from './cloudformation/properties.ts';
import {
  ACCOUNT_ID,
  loadTemplate,
  type RawResources,
  REGION,
  type Template,
  TemplateError,
} from './cloudformation/template.ts';
import { UPSTASH_SECRET_ARN } from './secrets.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** The settings of the local stack's deployment. */
export const LOCAL_CONTEXT = {
  stage: 'local',
  jwtIssuer: ISSUER,
  jwtAudience: AUDIENCE,
  upstashSecretArn: UPSTASH_SECRET_ARN,
  // AWS needs a list. The local gateway also allows every other origin of this machine.
  corsOrigins: 'http://localhost',
} as const;

/** Runs Tidemark's app like the CDK's command, which also makes the bundles. Returns the synthesized template. */
export async function synthesize(
  outputDirectory: string,
  context: Readonly<Record<string, string>>,
  change?: (resources: RawResources) => RawResources,
): Promise<Template> {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', 'infra/app.ts'] as const;
  try {
    const settings = { TIDEMARK_REUSE_BUNDLES: 'true' };
    await runApp(node, await cdkJsonOf(PROJECT), PROJECT, outputDirectory, context, settings);
  } catch (error) {
    const { message } = error as Error;
    const refused = /(?:EACCES|EPERM|EROFS): [^,\n]*, \w+ '[^']*'/.exec(message);
    if (refused) {
      throw new UsageError(
        `The functions cannot be bundled into ${join(PROJECT, 'dist')} (${refused[0]}): make them writable for you.`,
      );
    }
    throw new TemplateError(message, { cause: error });
  }
  const template = loadTemplate(outputDirectory, change);
  checkTypes(template);
  return template;
}

/**
 * Runs the CDK app of a subscriber, whose cdk.json is in `folder`. Returns the synthesized template. The context
 * `eventBusName` is the name of the bus.
 *
 * @throws UsageError if the app fails, or has something that the local stack does not support
 */
export async function synthesizeSubscriber(
  folder: string,
  outputDirectory: string,
  eventBusName: string,
): Promise<Template> {
  try {
    const cdkJson = await cdkJsonOf(folder);
    if (cdkJson.app === undefined) throw new Error('its cdk.json has no app');
    await runApp(['/bin/sh', '-c', cdkJson.app], cdkJson, folder, outputDirectory, { eventBusName });
    const template = loadTemplate(outputDirectory);
    checkTypes(template);
    checkProperties(template);
    return template;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`The subscriber in ${folder} cannot be deployed: ${reason}`, { cause: error });
  }
}

interface CdkJson {
  readonly app?: string;
  readonly context?: Readonly<Record<string, unknown>>;
}

async function cdkJsonOf(folder: string): Promise<CdkJson> {
  return JSON.parse(await readFile(join(folder, 'cdk.json'), 'utf8')) as CdkJson;
}

/** Runs a CDK app like the CDK's command. If it fails, throws an error with what it printed on stderr. */
async function runApp(
  [command, ...args]: readonly [string, ...string[]],
  { context: ofProject }: CdkJson,
  cwd: string,
  outputDirectory: string,
  context: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  makePrivateDirectory(outputDirectory);
  try {
    await promisify(execFile)(command, args, {
      cwd,
      env: {
        ...process.env,
        ...settings,
        NODE_OPTIONS: '',
        // `node` is the one that runs this: an older one on the path could not run TypeScript.
        PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
        CDK_OUTDIR: outputDirectory,
        // The settings of cdk.json, then those of this deployment.
        CDK_CONTEXT_JSON: JSON.stringify({ ...ofProject, ...context }),
        CDK_DEFAULT_ACCOUNT: ACCOUNT_ID,
        CDK_DEFAULT_REGION: REGION,
        // `cdk synth` and the tests check CloudFormation's rules. Here the check would double the time of the start.
        CDK_VALIDATION: 'false',
      },
    });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(stderr?.trim() || String(error), { cause: error });
  }
  closeToOthers(outputDirectory);
}
