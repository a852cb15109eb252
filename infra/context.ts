import { BlockList, isIP } from 'node:net';
import { closest, distance } from 'fastest-levenshtein';

/** A deployment's settings: the CDK context, from `-c key=value` or `context` in cdk.json. */
export interface TidemarkContext {
  /** Part of the names of the stack and its resources, so that one account can have several stacks. */
  readonly stage: string;
  /** The `iss` of the tokens, exactly, including a trailing slash. API Gateway finds the issuer's keys under this URL. */
  readonly jwtIssuer: string;
  /** A token's `aud` must have one of these. */
  readonly jwtAudience: readonly string[];
  /** The scope that a user's token must have. Null: every token of the audience is a user's. */
  readonly userScope: string | null;
  /** The scope that a back end's token must have, unless back ends sign their calls. */
  readonly serviceScope: string;
  /** `jwt`: a back end sends a token. `iam`: it signs its calls with the credentials of an IAM role. */
  readonly serviceAuth: 'jwt' | 'iam';
  /** The secret that holds `{ "url", "token" }` of Upstash's REST API. */
  readonly upstashSecretArn: string;
  /** The `source` of the chat back end's events, which Tidemark applies as facts. */
  readonly factsSource: string;
  readonly membership: 'strict' | 'open';
  readonly messageRetentionDays: number;
  /** The URL that events are posted to. Without it events are only counted and logged. */
  readonly webhookUrl?: string;
  /** The most posts to the webhook at once. */
  readonly webhookConcurrency: number;
  /** Whether events are published. Without a subscriber each event costs money and has no use. */
  readonly events: 'on' | 'off';
  /** Whether there is a WebSocket API. Without it nothing is pushed, and clients poll. */
  readonly live: 'on' | 'off';
  /** The origins of the web pages that may call the API. Without it, browsers let no page of another origin call it. */
  readonly corsOrigins?: readonly string[];
  /** The mail address that receives alarms. */
  readonly alarmEmail?: string;
  /** The SNS topic that alarms are published to. */
  readonly alarmTopicArn?: string;
}

export type ContextReading =
  | { readonly ok: true; readonly context: TidemarkContext }
  | { readonly ok: false; readonly problems: readonly string[] };

interface Setting {
  readonly mustBe: string;
  readonly example: string;
  readonly allows: (value: string, stage: string) => boolean;
}

/** The value of `userScope` with which every valid token is a user's. */
const NO_SCOPE = 'none';

/** The stage of the local stack. Only this stage may use addresses that the internet does not reach. */
const LOCAL_STAGE = 'local';

const settings: Record<keyof TidemarkContext, Setting> = {
  stage: {
    mustBe: 'up to 20 lower-case letters, digits and single hyphens, beginning with a letter',
    example: 'prod',
    // A function's name has at most 64 characters. The project's name and the function's own take up to 28 of them.
    allows: (value) => value.length <= 20 && /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(value),
  },
  jwtIssuer: {
    mustBe:
      'an https URL, exactly as it stands in the "iss" of your tokens, of a host that the internet reaches',
    example: 'https://login.example.com/',
    allows: (value, stage) => isServiceUrl(value, stage) && !value.includes('?'),
  },
  jwtAudience: {
    mustBe: 'the "aud" of your tokens; several are separated by commas without blanks',
    example: 'tidemark',
    allows: (value) => {
      const audiences = value.split(',');
      return audiences.every((one) => /^\S+$/.test(one)) && new Set(audiences).size === audiences.length;
    },
  },
  userScope: {
    mustBe: `a scope of 1 to 64 characters that the tokens of your users have, or "${NO_SCOPE}" if every valid token is a user's`,
    example: 'tidemark/user',
    allows: (value) => value === NO_SCOPE || isScope(value),
  },
  serviceScope: {
    mustBe:
      "a scope of 1 to 64 characters that only your back end's tokens have. It cannot be none: every user could then " +
      'call the routes of back ends. If your tokens have no scopes, use -c serviceAuth=iam',
    example: 'tidemark/service',
    allows: isScope,
  },
  serviceAuth: {
    mustBe: '"jwt" or "iam"',
    example: 'iam',
    allows: (value) => value === 'jwt' || value === 'iam',
  },
  upstashSecretArn: {
    mustBe: 'the complete ARN (it ends in six random characters) of a secret {"url","token"} for Upstash',
    example: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2',
    allows: (value) =>
      /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}$/.test(value),
  },
  factsSource: {
    // With `tidemark` the service would receive its own events. Sources that begin with `aws.` are reserved for AWS.
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
    mustBe: 'an https URL without user or password, of a host that the internet reaches',
    example: 'https://chat.example.com/hooks/tidemark',
    allows: isServiceUrl,
  },
  webhookConcurrency: {
    // Lambda's bounds for the concurrency of a queue's function.
    mustBe: 'a whole number from 2 to 1000: the most posts to the webhook at once',
    example: '5',
    allows: (value) => /^[1-9]\d{0,3}$/.test(value) && Number(value) >= 2 && Number(value) <= 1000,
  },
  events: {
    mustBe: '"on" or "off": with "off" no events are published, and there is no webhook',
    example: 'off',
    allows: (value) => value === 'on' || value === 'off',
  },
  live: {
    mustBe: '"on" or "off": with "off" there is no WebSocket API',
    example: 'off',
    allows: (value) => value === 'on' || value === 'off',
  },
  corsOrigins: {
    mustBe:
      'the origins of your web pages as browsers send them, such as https://chat.example.com (http only for this machine), ' +
      'separated by commas without blanks. "*" is refused: a page of any site could then call with a stolen token',
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
 * Reads and checks the whole context, so that one attempt shows all problems.
 *
 * @param given every key of the context, including those of the CDK
 */
export function readContext(given: Readonly<Record<string, unknown>>): ContextReading {
  const problems = Object.keys(given)
    .filter((key) => !isSetting(key) && !isOfTheCdk(key))
    .map(unknownKey);

  function optional(key: keyof TidemarkContext): string | undefined {
    const value = settingIn(given, key);
    const present = valueIn(given, key);
    if (value === undefined && present !== undefined)
      problems.push(`${key} is ${JSON.stringify(present)}. ${advice(key)}`);
    return value;
  }

  function required(key: keyof TidemarkContext): string {
    if (valueIn(given, key) === undefined) problems.push(`${key} is missing. ${advice(key)}`);
    return optional(key) ?? '';
  }

  const webhookUrl = optional('webhookUrl');
  const corsOrigins = optional('corsOrigins')?.split(',');
  const alarmEmail = optional('alarmEmail');
  const alarmTopicArn = optional('alarmTopicArn');
  const userScope = optional('userScope') ?? 'tidemark/user';
  const context: TidemarkContext = {
    stage: required('stage'),
    jwtIssuer: required('jwtIssuer'),
    jwtAudience: required('jwtAudience').split(','),
    userScope: userScope === NO_SCOPE ? null : userScope,
    serviceScope: optional('serviceScope') ?? 'tidemark/service',
    serviceAuth: optional('serviceAuth') === 'iam' ? 'iam' : 'jwt',
    upstashSecretArn: required('upstashSecretArn'),
    factsSource: optional('factsSource') ?? 'chat',
    membership: optional('membership') === 'open' ? 'open' : 'strict',
    messageRetentionDays: Number(optional('messageRetentionDays') ?? 90),
    ...(webhookUrl !== undefined && { webhookUrl }),
    webhookConcurrency: Number(optional('webhookConcurrency') ?? 5),
    events: optional('events') === 'off' ? 'off' : 'on',
    live: optional('live') === 'off' ? 'off' : 'on',
    ...(corsOrigins !== undefined && { corsOrigins }),
    ...(alarmEmail !== undefined && { alarmEmail }),
    ...(alarmTopicArn !== undefined && { alarmTopicArn }),
  };
  if (context.serviceAuth === 'jwt' && context.userScope === context.serviceScope) {
    problems.push(
      `userScope and serviceScope are both "${context.serviceScope}". They must differ: every user could otherwise call the routes of back ends.`,
    );
  }
  if (context.events === 'off' && webhookUrl !== undefined) {
    problems.push(
      'events is "off", and webhookUrl is given. A webhook receives events: leave one of the two out.',
    );
  }
  return problems.length === 0 ? { ok: true, context } : { ok: false, problems };
}

/** The value of one key as text; undefined if it is missing or not valid. */
export function settingIn(
  given: Readonly<Record<string, unknown>>,
  key: keyof TidemarkContext,
): string | undefined {
  const present = valueIn(given, key);
  // A number is a JSON number in cdk.json, and text on the command line.
  const value = typeof present === 'number' ? String(present) : present;
  const isGood = typeof value === 'string' && settings[key].allows(value, String(valueIn(given, 'stage')));
  return isGood ? value : undefined;
}

/** What a value must be, if it is not valid for the local stack; null if it is valid. */
export function mistakeIn(key: keyof TidemarkContext, value: string): string | null {
  return settings[key].allows(value, LOCAL_STAGE) ? null : settings[key].mustBe;
}

function advice(key: keyof TidemarkContext): string {
  const { mustBe, example } = settings[key];
  return `It must be ${mustBe}. Pass for example: -c ${key}='${example}'`;
}

function valueIn(given: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(given, key) ? given[key] : undefined;
}

function isSetting(key: string): boolean {
  return Object.hasOwn(settings, key);
}

/** The CDK's feature flags, its cached look-ups (`vpc-provider:...`), and the settings of its command. */
function isOfTheCdk(key: string): boolean {
  return /[@:]/.test(key) || key === 'acknowledged-issue-numbers' || key === 'cli-telemetry';
}

/** The CDK accepts any key: without this check a misspelt setting would be ignored without a message. */
function unknownKey(key: string): string {
  const known = Object.keys(settings);
  const nearest = closest(key, known);
  const isNear = distance(key.toLowerCase(), nearest.toLowerCase()) <= key.length / 2;
  return isNear
    ? `${key} is not known; did you mean ${nearest}?`
    : `${key} is not known. The keys are ${known.join(', ')}.`;
}

/** An OAuth scope (RFC 6749, 3.3) of a length that API Gateway accepts. It is a single scope: commas do not separate. */
function isScope(value: string): boolean {
  return value.length <= 64 && value.toLowerCase() !== NO_SCOPE && /^[!#-+\--[\]-~]+$/.test(value);
}

/**
 * An https URL that the internet reaches, because API Gateway and the functions reach no other. The local stack may also
 * use http and this machine. A password in the URL is refused: it would be readable in the template.
 */
function isServiceUrl(value: string, stage: string): boolean {
  if (/[\s#]/.test(value)) return false;
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '') return false;
  if (isPublicHost(url.hostname)) return url.protocol === 'https:';
  return stage === LOCAL_STAGE && isLoopback(url.hostname) && /^https?:$/.test(url.protocol);
}

/** An origin exactly as browsers send it, because API Gateway compares text: no path, default port, capitals or `*`. */
function isWebOrigin(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || url.origin !== value || value.includes('*')) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

/** The addresses that are not on the public internet (IANA's special-purpose registries). */
const notPublic = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv6');
}

/** Whether the internet can reach a host, judged by its name alone. The host is written as in a URL. */
export function isPublicHost(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  // The list also matches IPv4 addresses inside IPv6 addresses.
  const version = isIP(name);
  if (version !== 0) return !notPublic.check(name, version === 4 ? 'ipv4' : 'ipv6');
  return name.includes('.') && !/\.(localhost|local|internal|home\.arpa)$/.test(name);
}

function isLoopback(host: string): boolean {
  return /^(localhost\.?|.+\.localhost\.?|127(\.\d+){3}|\[::1\])$/.test(host);
}
