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

/** What the local stack needs of a deployment. */
export const LOCAL_CONTEXT = {
  stage: 'local',
  jwtIssuer: ISSUER,
  jwtAudience: AUDIENCE,
  upstashSecretArn: UPSTASH_SECRET_ARN,
  // One of them: AWS takes a list, while the gateway here adds every other origin of this machine.
  corsOrigins: 'http://localhost',
} as const;

/** Runs the CDK app as the CDK's command does, with its bundles, and reads the template that it writes. */
export async function synthesize(
  outputDirectory: string,
  context: Readonly<Record<string, string>>,
  change?: (resources: RawResources) => RawResources,
): Promise<Template> {
  makePrivateDirectory(outputDirectory);
  // As the CDK's command does: the project's decisions, then those of this deployment.
  const { context: ofProject } = JSON.parse(await readFile(join(PROJECT, 'cdk.json'), 'utf8'));
  try {
    await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', 'infra/app.ts'], {
      cwd: PROJECT,
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        CDK_OUTDIR: outputDirectory,
        CDK_CONTEXT_JSON: JSON.stringify({ ...ofProject, ...context }),
        // CloudFormation's own rules are checked by `cdk synth` and the tests; here they would double the start.
        CDK_VALIDATION: 'false',
      },
    });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const refused = /(?:EACCES|EPERM|EROFS): [^,\n]*, \w+ '[^']*'/.exec(stderr ?? '');
    if (refused) {
      throw new UsageError(
        `The functions cannot be bundled into ${join(PROJECT, 'dist')} (${refused[0]}): make the project yours.`,
      );
    }
    throw new TemplateError(stderr?.trim() || String(error), { cause: error });
  }
  closeToOthers(outputDirectory);
  const template = loadTemplate(outputDirectory, change);
  checkTypes(template);
  return template;
}
