/** What a deployment decides: the CDK context, given by `-c key=value` or `context` in cdk.json. */
export interface TidemarkContext {
  /** Names the stack and what is in it, so that several can live in one account. */
  readonly stage: string;
  /** The `iss` of the tokens to the letter, a trailing slash included. API Gateway finds the keys below it. */
  readonly jwtIssuer: string;
  readonly jwtAudience: string;
  /** The secret that holds `{ "url", "token" }` of Upstash's REST API. */
  readonly upstashSecretArn: string;
  /** The `source` of the chat back end's events, whose facts Tidemark takes over. */
  readonly factsSource: string;
  readonly membership: 'strict' | 'open';
  readonly messageRetentionDays: number;
  /** Where notifications are posted. Without it they are counted and logged only. */
  readonly webhookUrl?: string;
  /** The most posts to the webhook at once. */
  readonly webhookConcurrency: number;
  /** The origins of the web pages that may call the API. Without it browsers let no page of another origin call. */
  readonly corsOrigins?: readonly string[];
  /** Who is told of alarms by mail. */
  readonly alarmEmail?: string;
  /** An SNS topic that is told of alarms. */
  readonly alarmTopicArn?: string;
}

export type ContextReading =
  | { readonly ok: true; readonly context: TidemarkContext }
  | { readonly ok: false; readonly problems: readonly string[] };

interface Setting {
  readonly mustBe: string;
  readonly example: string;
  readonly allows: (value: string) => boolean;
}

const settings: Record<keyof TidemarkContext, Setting> = {
  stage: {
    mustBe: 'up to 20 lower-case letters, digits and single hyphens, beginning with a letter',
    example: 'prod',
    // Lambda allows a function's name 64 characters; the project's and the function's own take up to 28 of them.
    allows: (value) => value.length <= 20 && /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(value),
  },
  jwtIssuer: {
    mustBe: 'an https URL, exactly as it stands in the "iss" of your tokens',
    example: 'https://login.example.com/',
    allows: (value) => isServiceUrl(value) && !value.includes('?'),
  },
  jwtAudience: {
    mustBe: 'the "aud" of your tokens, without blanks or commas',
    example: 'tidemark',
    allows: (value) => /^[^\s,]+$/.test(value),
  },
  upstashSecretArn: {
    mustBe: 'the complete ARN (it ends in six random characters) of a secret {"url","token"} for Upstash',
    example: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2',
    allows: (value) =>
      /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}$/.test(value),
  },
  factsSource: {
    // From `tidemark` the service would hear itself, and `aws.` is kept for AWS.
    mustBe: 'the source of your chat\'s events, neither "tidemark" nor beginning with "aws."',
    example: 'chat',
    allows: (value) => /^(?!aws\.)(?!tidemark$)[\w./-]{1,256}$/.test(value),
  },
  membership: {
    mustBe: '"strict" or "open"',
    example: 'strict',
    allows: (value) => value === 'strict' || value === 'open',
  },
  messageRetentionDays: {
    mustBe: 'a whole number of days from 1 to 3650',
    example: '90',
    allows: (value) => /^[1-9]\d{0,3}$/.test(value) && Number(value) <= 3650,
  },
  webhookUrl: {
    mustBe: 'an https URL without user or password',
    example: 'https://chat.example.com/hooks/tidemark',
    allows: isServiceUrl,
  },
  webhookConcurrency: {
    // The bounds that Lambda has for the concurrency of a queue's function.
    mustBe: 'a whole number from 2 to 1000: the most posts to the webhook at once',
    example: '5',
    allows: (value) => /^[1-9]\d{0,3}$/.test(value) && Number(value) >= 2 && Number(value) <= 1000,
  },
  corsOrigins: {
    mustBe:
      'the origins of your web pages as browsers send them, such as https://chat.example.com (http only for this machine), ' +
      'separated by commas without blanks. "*" is refused: a page of any site could then call with a token that it got hold of',
    example: 'https://chat.example.com,http://localhost:5173',
    allows: (value) => value.split(',').every(isWebOrigin),
  },
  alarmEmail: {
    mustBe: 'one mail address',
    example: 'on-call@example.com',
    allows: (value) => /^[^\s@,;]+@[^\s@,;]+\.[^\s@,;]+$/.test(value),
  },
  alarmTopicArn: {
    mustBe: 'the ARN of a standard SNS topic of the region, which lets CloudWatch publish',
    example: 'arn:aws:sns:eu-central-1:123456789012:on-call',
    allows: (value) => /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}$/.test(value),
  },
};

/**
 * Reads and checks the whole context, so that one attempt tells everything that is wrong with it.
 *
 * @param lookUp answers undefined for a key that was not given, as `node.tryGetContext` does
 */
export function readContext(lookUp: (key: string) => unknown): ContextReading {
  const problems: string[] = [];

  function optional(key: keyof TidemarkContext): string | undefined {
    const given = lookUp(key);
    if (given === undefined) return undefined;
    // In cdk.json a number stands as such, on the command line as text.
    const value = typeof given === 'number' ? String(given) : given;
    if (typeof value === 'string' && settings[key].allows(value)) return value;
    problems.push(`${key} is ${JSON.stringify(given)}. ${advice(key)}`);
    return undefined;
  }

  function required(key: keyof TidemarkContext): string {
    if (lookUp(key) === undefined) problems.push(`${key} is missing. ${advice(key)}`);
    return optional(key) ?? '';
  }

  const webhookUrl = optional('webhookUrl');
  const corsOrigins = optional('corsOrigins')?.split(',');
  const alarmEmail = optional('alarmEmail');
  const alarmTopicArn = optional('alarmTopicArn');
  const context: TidemarkContext = {
    stage: required('stage'),
    jwtIssuer: required('jwtIssuer'),
    jwtAudience: required('jwtAudience'),
    upstashSecretArn: required('upstashSecretArn'),
    factsSource: optional('factsSource') ?? 'chat',
    membership: optional('membership') === 'open' ? 'open' : 'strict',
    messageRetentionDays: Number(optional('messageRetentionDays') ?? 90),
    ...(webhookUrl !== undefined && { webhookUrl }),
    webhookConcurrency: Number(optional('webhookConcurrency') ?? 5),
    ...(corsOrigins !== undefined && { corsOrigins }),
    ...(alarmEmail !== undefined && { alarmEmail }),
    ...(alarmTopicArn !== undefined && { alarmTopicArn }),
  };
  return problems.length === 0 ? { ok: true, context } : { ok: false, problems };
}

/** What a value of the context must be, where it is not; null where it is. */
export function mistakeIn(key: keyof TidemarkContext, value: string): string | null {
  return settings[key].allows(value) ? null : settings[key].mustBe;
}

function advice(key: keyof TidemarkContext): string {
  const { mustBe, example } = settings[key];
  return `It must be ${mustBe}. Pass for example: -c ${key}='${example}'`;
}

/** An https URL; http only where it cannot leave the machine. A password in it would end up in the template. */
function isServiceUrl(value: string): boolean {
  if (/[\s#]/.test(value)) return false;
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '') return false;
  return isEncryptedOrLoopback(url);
}

/** An origin to the letter, since API Gateway compares letters: no path, no default port, no capitals, no `*`. */
function isWebOrigin(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && url.origin === value && !value.includes('*') && isEncryptedOrLoopback(url);
}

function isEncryptedOrLoopback({ protocol, hostname }: URL): boolean {
  const isLoopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback);
}
