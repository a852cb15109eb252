import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { UsageError } from '../command/usage-error.ts';
import { closeToOthers, makePrivateDirectory } from '../data/private-files.ts';
import { AUDIENCE, ISSUER } from '../identity/issuer.ts';
import { checkTypes } from './cloudformation/properties.ts';
import { loadTemplate, type RawResources, type Template, TemplateError } from './cloudformation/template.ts';
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

/** Runs the CDK app like the CDK's command, which also makes the bundles. Returns the synthesized template. */
export async function synthesize(
  outputDirectory: string,
  context: Readonly<Record<string, string>>,
  change?: (resources: RawResources) => RawResources,
): Promise<Template> {
  makePrivateDirectory(outputDirectory);
  // Like the CDK's command: the settings of cdk.json, then those of this deployment.
  const { context: ofProject } = JSON.parse(await readFile(join(PROJECT, 'cdk.json'), 'utf8'));
  try {
    await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', 'infra/app.ts'], {
      cwd: PROJECT,
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        CDK_OUTDIR: outputDirectory,
        CDK_CONTEXT_JSON: JSON.stringify({ ...ofProject, ...context }),
        // `cdk synth` and the tests check CloudFormation's rules. Here the check would double the time of the start.
        CDK_VALIDATION: 'false',
      },
    });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const refused = /(?:EACCES|EPERM|EROFS): [^,\n]*, \w+ '[^']*'/.exec(stderr ?? '');
    if (refused) {
      throw new UsageError(
        `The functions cannot be bundled into ${join(PROJECT, 'dist')} (${refused[0]}): make them writable for you.`,
      );
    }
    throw new TemplateError(stderr?.trim() || String(error), { cause: error });
  }
  closeToOthers(outputDirectory);
  const template = loadTemplate(outputDirectory, change);
  checkTypes(template);
  return template;
}
