import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { whyNot, within } from './bounds.ts';
import { about, type Finding } from './finding.ts';

/** The version of the bootstrap that this version of the CDK needs. */
export const BOOTSTRAP_VERSION = 6;

const AWS_KEY = 'alias/aws/secretsmanager';

const region = about('region');
const credentials = about('AWS credentials');
const bootstrap = about('bootstrap');
const secret = about('secret');
const secretKey = about("secret's key");
const secretValue = about("secret's value");

export interface Deployer {
  /** The region of the deployment; null if none is set. */
  readonly region: string | null;
  /** The reason why there are no credentials; null if there are some. */
  readonly noCredentials: string | null;
}

/** Finds the credentials and the region in the same way as the CDK's command. */
export async function findDeployer(environment: NodeJS.ProcessEnv, timeoutMs: number): Promise<Deployer> {
  const client = new SSMClient({});
  try {
    const named = environment.AWS_REGION || environment.AWS_DEFAULT_REGION;
    const profiled = named || (await within(timeoutMs, client.config.region()).catch(() => null));
    const noCredentials = await within(timeoutMs, client.config.credentials()).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    return { region: profiled, noCredentials };
  } finally {
    client.destroy();
  }
}

export function checkRegion({ region: deployed }: Deployer, secretArn: string): Finding {
  const ofSecret = regionOf(secretArn);
  if (deployed === null) {
    return region.warn(
      `no region is set, so the CDK would use us-east-1: export AWS_REGION=${ofSecret}, the region of the secret.`,
    );
  }
  return deployed === ofSecret
    ? region.ok(`${deployed}, the region of the secret.`)
    : region.fail(
        `the region of the deployment is ${deployed}, but the secret is in ${ofSecret}, where the functions cannot find it: export AWS_REGION=${ofSecret}, or put the secret into ${deployed}.`,
      );
}

export function regionOf(secretArn: string): string {
  return secretArn.split(':')[3] ?? '';
}

export function checkCredentials({ noCredentials }: Deployer): Finding {
  return noCredentials === null
    ? credentials.ok('there are some.')
    : credentials.warn(
        `none were found (${noCredentials}), so your account is not checked: log in, or set AWS_PROFILE.`,
      );
}

export async function checkBootstrap(
  regionName: string,
  qualifier: string,
  timeoutMs: number,
): Promise<Finding> {
  const remedy = `run npx cdk bootstrap aws://ACCOUNT/${regionName}`;
  const client = new SSMClient({ region: regionName, maxAttempts: 1 });
  try {
    const name = `/cdk-bootstrap/${qualifier}/version`;
    const { Parameter } = await within(timeoutMs, client.send(new GetParameterCommand({ Name: name })));
    const version = Number(Parameter?.Value);
    return version >= BOOTSTRAP_VERSION
      ? bootstrap.ok(`${regionName} is bootstrapped, in version ${version}.`)
      : bootstrap.fail(
          `${regionName} is bootstrapped in version ${Parameter?.Value}, but the CDK needs ${BOOTSTRAP_VERSION}: ${remedy}.`,
        );
  } catch (error) {
    return nameOf(error) === 'ParameterNotFound'
      ? bootstrap.fail(`${regionName} is not bootstrapped for the CDK: ${remedy}.`)
      : refusal(bootstrap, error, 'ssm:GetParameter');
  } finally {
    client.destroy();
  }
}

export interface UpstashAccess {
  readonly url: string;
  readonly token: string;
}

export interface SecretCheck {
  readonly findings: readonly Finding[];
  /** Null if it could not be read from the secret. */
  readonly access: UpstashAccess | null;
}

/** Checks the secret with Upstash's URL and token. No finding contains any of its text. */
export async function checkSecret(arn: string, isLocal: boolean, timeoutMs: number): Promise<SecretCheck> {
  const client = new SecretsManagerClient({ region: regionOf(arn), maxAttempts: 1 });
  try {
    const described = await describe(client, arn, timeoutMs);
    const isThere = !described.some(({ status, thing }) => status === 'fail' && thing === 'secret');
    if (!isThere) return { findings: described, access: null };
    const { finding, access } = await readAccess(client, arn, isLocal, timeoutMs);
    return { findings: [...described, finding], access };
  } finally {
    client.destroy();
  }
}

async function describe(client: SecretsManagerClient, arn: string, timeoutMs: number): Promise<Finding[]> {
  try {
    const sent = client.send(new DescribeSecretCommand({ SecretId: arn }));
    const { DeletedDate, KmsKeyId } = await within(timeoutMs, sent);
    if (DeletedDate !== undefined) {
      return [
        secret.fail(
          `it will be deleted: run aws secretsmanager restore-secret --secret-id ${arn}, or use another secret.`,
        ),
      ];
    }
    const exists = secret.ok(`there is one in ${regionOf(arn)}.`);
    const isOfAws = KmsKeyId === undefined || KmsKeyId.endsWith(AWS_KEY);
    return [
      exists,
      isOfAws
        ? secretKey.ok('it is an AWS managed key.')
        : secretKey.fail(
            `it is your own key (${KmsKeyId}), which the functions may not use: run aws secretsmanager update-secret --secret-id ${arn} --kms-key-id ${AWS_KEY}`,
          ),
    ];
  } catch (error) {
    return [
      nameOf(error) === 'ResourceNotFoundException'
        ? secret.fail(
            `there is none with this ARN: copy it from aws secretsmanager list-secrets --region ${regionOf(arn)}`,
          )
        : refusal(secret, error, 'secretsmanager:DescribeSecret'),
    ];
  }
}

const SHAPE = '{"url": "https://...", "token": "..."}';

interface AccessReading {
  readonly finding: Finding;
  readonly access: UpstashAccess | null;
}

async function readAccess(
  client: SecretsManagerClient,
  arn: string,
  isLocal: boolean,
  timeoutMs: number,
): Promise<AccessReading> {
  let text: string | undefined;
  try {
    const sent = client.send(new GetSecretValueCommand({ SecretId: arn }));
    text = (await within(timeoutMs, sent)).SecretString;
  } catch (error) {
    const finding =
      nameOf(error) === 'ResourceNotFoundException'
        ? secretValue.fail(`it has none yet: put ${SHAPE} into it.`)
        : refusal(secretValue, error, 'secretsmanager:GetSecretValue');
    return { finding, access: null };
  }
  const { url, token } = fieldsIn(text ?? '');
  const parsed = typeof url === 'string' ? URL.parse(url) : null;
  if (parsed === null || typeof url !== 'string' || typeof token !== 'string' || token === '') {
    return { finding: secretValue.fail(`it must be the text ${SHAPE}, but it is not.`), access: null };
  }
  if (parsed.protocol !== 'https:' && !(isLocal && parsed.protocol === 'http:')) {
    const finding = secretValue.fail(
      `its url begins with ${parsed.protocol}// but must begin with https://: copy the REST URL from Upstash's console.`,
    );
    return { finding, access: null };
  }
  return { finding: secretValue.ok('it has url and token.'), access: { url, token } };
}

function fieldsIn(text: string): { readonly url?: unknown; readonly token?: unknown } {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    // The error is dropped, because its message quotes the text.
    return {};
  }
}

const NOT_ALLOWED = /^AccessDenied/;
const NOT_KNOWN =
  /^(ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature|MissingAuthenticationToken)/;

/** The finding for an error of AWS that is about the caller and not about the thing to check. */
function refusal({ warn, fail }: ReturnType<typeof about>, error: unknown, action: string): Finding {
  const name = nameOf(error);
  if (NOT_ALLOWED.test(name)) return warn(`not checked: your credentials may not call ${action}.`);
  if (NOT_KNOWN.test(name)) return fail(`AWS does not accept your credentials (${name}): log in again.`);
  const isAnswer = typeof error === 'object' && error !== null && '$fault' in error;
  return fail(`not checked: ${action} ${isAnswer ? `answers ${name}` : whyNot(error)}. Try again.`);
}

function nameOf(error: unknown): string {
  return (error as Error).name;
}

/** The findings of the checks that need an account, if there are no credentials. */
export function notChecked(): Finding[] {
  const because = 'not checked, no credentials.';
  return [bootstrap, secret, about('Upstash')].map(({ warn }) => warn(because));
}
