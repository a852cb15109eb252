import { BlockList, isIP } from 'node:net';
import { closest, distance } from 'fastest-levenshtein';

/** What a deployment decides: the CDK context, given by `-c key=value` or `context` in cdk.json. */
export interface TidemarkContext {
  /** Names the stack and what is in it, so that several can live in one account. */
  readonly stage: string;
  /** The `iss` of the tokens to the letter, a trailing slash included. API Gateway finds the keys below it. */
  readonly jwtIssuer: string;
  /** A token is for one of these. */
  readonly jwtAudience: readonly string[];
  /** What a user's token must hold; null where every token of the audience is a user's. */
  readonly userScope: string | null;
  /** What a back end's token must hold, unless back ends sign their calls. */
  readonly serviceScope: string;
  /** Whether a back end shows a token, or signs its calls with the credentials of an IAM role. */
  readonly serviceAuth: 'jwt' | 'iam';
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
  /** Whether reads are told as events at all. Where nobody listens, each costs money for nothing. */
  readonly events: 'on' | 'off';
  /** Whether there is the WebSocket API. Without it clients ask, and nothing is pushed. */
  readonly live: 'on' | 'off';
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
  readonly allows: (value: string, stage: string) => boolean;
}

/** Stands for every valid token. */
const NO_SCOPE = 'none';

/** The stage of the stack on one machine. It alone may talk with what the internet does not reach. */
const LOCAL_STAGE = 'local';

const settings: Record<keyof TidemarkContext, Setting> = {
  stage: {
    mustBe: 'up to 20 lower-case letters, digits and single hyphens, beginning with a letter',
    example: 'prod',
    // Lambda allows a function's name 64 characters; the project's and the function's own take up to 28 of them.
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
    mustBe: `a scope of 1 to 64 characters that the tokens of your users hold, or "${NO_SCOPE}" where every valid token is a user's`,
    example: 'tidemark/user',
    allows: (value) => value === NO_SCOPE || isScope(value),
  },
  serviceScope: {
    mustBe:
      'a scope of 1 to 64 characters that the tokens of your back end alone hold. It cannot be none: every user could ' +
      'then call the routes of back ends. For those without scopes there is -c serviceAuth=iam',
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
    mustBe: 'an https URL without user or password, of a host that the internet reaches',
    example: 'https://chat.example.com/hooks/tidemark',
    allows: isServiceUrl,
  },
  webhookConcurrency: {
    // The bounds that Lambda has for the concurrency of a queue's function.
    mustBe: 'a whole number from 2 to 1000: the most posts to the webhook at once',
    example: '5',
    allows: (value) => /^[1-9]\d{0,3}$/.test(value) && Number(value) >= 2 && Number(value) <= 1000,
  },
  events: {
    mustBe: '"on" or "off": with "off" nothing is told on the bus, and there is no webhook',
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
 * @param given every key of the context, those of the CDK included
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
      'events is "off", and webhookUrl is given. A webhook is told of events: leave one of the two out.',
    );
  }
  return problems.length === 0 ? { ok: true, context } : { ok: false, problems };
}

/** The value of one key as text; undefined where it is not given or will not do. */
export function settingIn(
  given: Readonly<Record<string, unknown>>,
  key: keyof TidemarkContext,
): string | undefined {
  const present = valueIn(given, key);
  // In cdk.json a number stands as such, on the command line as text.
  const value = typeof present === 'number' ? String(present) : present;
  const isGood = typeof value === 'string' && settings[key].allows(value, String(valueIn(given, 'stage')));
  return isGood ? value : undefined;
}

/** What a value of the context must be for the local stack, where it is not; null where it is. */
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

/** Its flags, what it has looked up in an account (`vpc-provider:...`), and what its command keeps for itself. */
function isOfTheCdk(key: string): boolean {
  return /[@:]/.test(key) || key === 'acknowledged-issue-numbers' || key === 'cli-telemetry';
}

/** The CDK takes any key. A misspelt one would otherwise be no setting at all, and nobody would hear of it. */
function unknownKey(key: string): string {
  const known = Object.keys(settings);
  const nearest = closest(key, known);
  const isNear = distance(key.toLowerCase(), nearest.toLowerCase()) <= key.length / 2;
  return isNear
    ? `${key} is not known; did you mean ${nearest}?`
    : `${key} is not known. The keys are ${known.join(', ')}.`;
}

/** A scope as OAuth writes it (RFC 6749, 3.3), of a length that API Gateway takes. Commas separate nothing here. */
function isScope(value: string): boolean {
  return value.length <= 64 && value.toLowerCase() !== NO_SCOPE && /^[!#-+\--[\]-~]+$/.test(value);
}

/**
 * An https URL that the internet reaches: API Gateway and the functions reach no other. The local stack may use http and
 * this machine as well. A password in the URL would end up in the template.
 */
function isServiceUrl(value: string, stage: string): boolean {
  if (/[\s#]/.test(value)) return false;
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '') return false;
  if (isPublicHost(url.hostname)) return url.protocol === 'https:';
  return stage === LOCAL_STAGE && isLoopback(url.hostname) && /^https?:$/.test(url.protocol);
}

/** An origin to the letter, since API Gateway compares letters: no path, no default port, no capitals, no `*`. */
function isWebOrigin(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || url.origin !== value || value.includes('*')) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

/** The addresses that are kept for other uses than the internet's (IANA's special-purpose registries). */
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

/** Whether a host as URLs write it can be reached from the internet, as far as its name tells. */
export function isPublicHost(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  // The list knows IPv4 in IPv6 too.
  const version = isIP(name);
  if (version !== 0) return !notPublic.check(name, version === 4 ? 'ipv4' : 'ipv6');
  return name.includes('.') && !/\.(localhost|local|internal|home\.arpa)$/.test(name);
}

function isLoopback(host: string): boolean {
  return /^(localhost\.?|.+\.localhost\.?|127(\.\d+){3}|\[::1\])$/.test(host);
}
