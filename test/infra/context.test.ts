import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readContext, type TidemarkContext } from '../../infra/context.ts';

const complete = {
  stage: 'prod',
  jwtIssuer: 'https://login.example.com/',
  jwtAudience: 'tidemark',
  upstashSecretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2',
};

function read(given: Record<string, unknown>) {
  return readContext(given);
}

test('the README’s table has exactly the settings', () => {
  // Its type requires every setting here.
  const settings: Record<keyof TidemarkContext, true> = {
    stage: true,
    jwtIssuer: true,
    jwtAudience: true,
    userScope: true,
    serviceScope: true,
    serviceAuth: true,
    upstashSecretArn: true,
    factsSource: true,
    membership: true,
    messageRetentionDays: true,
    webhookUrl: true,
    webhookConcurrency: true,
    events: true,
    corsOrigins: true,
    alarmEmail: true,
    alarmTopicArn: true,
    live: true,
  };
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, table = ''] = /^\| context \|.*\n((?:\|.*\n)+)/m.exec(readme) ?? [];
  const named = table
    .split('\n')
    .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name));
  expect(named.toSorted()).toEqual(Object.keys(settings).toSorted());
});

describe('a complete context', () => {
  test('gets the defaults of optional settings', () => {
    expect(read(complete)).toEqual({
      ok: true,
      context: {
        stage: 'prod',
        jwtIssuer: 'https://login.example.com/',
        jwtAudience: ['tidemark'],
        userScope: 'tidemark/user',
        serviceScope: 'tidemark/service',
        serviceAuth: 'jwt',
        upstashSecretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2',
        factsSource: 'chat',
        membership: 'strict',
        messageRetentionDays: 90,
        events: 'on',
        live: 'on',
        webhookConcurrency: 5,
      },
    });
  });

  test('uses the given values', () => {
    const given = {
      ...complete,
      factsSource: 'com.example.chat',
      membership: 'open',
      messageRetentionDays: '30',
      webhookUrl: 'https://chat.example.com/hooks/tidemark?tenant=7',
      webhookConcurrency: '40',
    };
    expect(read(given)).toMatchObject({
      ok: true,
      context: {
        factsSource: 'com.example.chat',
        membership: 'open',
        messageRetentionDays: 30,
        webhookUrl: 'https://chat.example.com/hooks/tidemark?tenant=7',
        webhookConcurrency: 40,
      },
    });
  });

  test('splits a list of origins', () => {
    const corsOrigins = 'https://chat.example.com,https://beta.example.com:8443,http://localhost:5173';
    expect(read({ ...complete, corsOrigins })).toMatchObject({
      ok: true,
      context: {
        corsOrigins: ['https://chat.example.com', 'https://beta.example.com:8443', 'http://localhost:5173'],
      },
    });
  });

  test.each([
    ['messageRetentionDays', 365],
    ['messageRetentionDays', '3650'],
    ['stage', 'pull-request-1234567'],
    ['webhookConcurrency', 2],
    ['webhookConcurrency', '1000'],
    ['jwtIssuer', 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab1Cd2'],
    ['jwtIssuer', 'https://93.184.215.14:8443/'],
    ['webhookUrl', 'https://[2606:2800:21f::1]/hook'],
    ['jwtAudience', 'web,ios,https://api.example.com'],
    ['userScope', 'none'],
    ['userScope', 'https://chat.example.com/read:state'],
    ['serviceScope', 'chat:write'],
    ['serviceAuth', 'iam'],
    ['live', 'off'],
    ['upstashSecretArn', 'arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:a-b-Ab1Cd2'],
    ['corsOrigins', 'https://chat.example.com'],
    ['corsOrigins', 'https://xn--bcher-kva.example'],
    ['corsOrigins', 'http://127.0.0.1:8080'],
    ['corsOrigins', 'http://[::1]:8080'],
    ['corsOrigins', 'http://localhost'],
    ['corsOrigins', 'http://chat.localhost:5173'],
    ['alarmEmail', 'on-call+tidemark@example.com'],
    ['alarmTopicArn', 'arn:aws-us-gov:sns:us-gov-west-1:123456789012:on_call-1'],
  ])('may have %s %p', (key, value) => {
    expect(read({ ...complete, [key]: value }).ok).toBe(true);
  });
});

describe('an address that the internet does not reach', () => {
  const addresses = [
    'http://127.0.0.1:9000',
    'http://localhost:9000/realms/chat',
    'http://[::1]:4000/hook',
    'https://issuer.tidemark.localhost',
    'https://localhost',
    'https://localhost./',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f000001/',
    'https://[::1]/',
  ];
  test.each(addresses.flatMap((url) => [['jwtIssuer', url] as const, ['webhookUrl', url] as const]))(
    'is valid only for the stage "local": %s %p',
    (key, value) => {
      expect(read({ ...complete, stage: 'local', [key]: value }).ok).toBe(true);
      const reading = read({ ...complete, [key]: value });
      expect(reading.ok ? [] : reading.problems).toEqual([
        expect.stringContaining(`${key} is ${JSON.stringify(value)}. It must be an https URL`),
      ]);
    },
  );

  test.each([
    'https://169.254.169.254/',
    'https://10.1.2.3/',
    'https://172.16.0.1/',
    'https://192.168.1.1/',
    'https://100.64.0.1/',
    'https://0.0.0.0/',
    'https://224.0.0.1/',
    'https://[::]/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://[::ffff:10.1.2.3]/',
    'https://keycloak/',
    'https://keycloak.internal/',
    'https://keycloak.local/',
    'https://metadata.google.internal./',
  ])('is refused: %s', (value) => {
    for (const key of ['jwtIssuer', 'webhookUrl']) {
      const reading = read({ ...complete, [key]: value });
      expect(reading.ok ? [] : reading.problems).toEqual([
        expect.stringContaining(`${key} is ${JSON.stringify(value)}. It must be an https URL`),
      ]);
    }
  });
});

describe('an unknown key', () => {
  test('is reported with the nearest known key', () => {
    expect(
      read({ ...complete, webhookurl: 'https://chat.example.com/hook', 'jwt-audience': 'chat' }),
    ).toEqual({
      ok: false,
      problems: [
        'webhookurl is not known; did you mean webhookUrl?',
        'jwt-audience is not known; did you mean jwtAudience?',
      ],
    });
  });

  test('is reported with all known keys if none is near', () => {
    const reading = read({ ...complete, x: '1' });
    expect(reading.ok ? [] : reading.problems).toEqual([
      expect.stringMatching(
        /^x is not known\. The keys are stage, jwtIssuer, jwtAudience, .*alarmTopicArn\.$/,
      ),
    ]);
  });

  test('is refused if it is an inherited property of objects, such as "constructor"', () => {
    expect(read({ ...complete, constructor: '1' }).ok).toBe(false);
    expect(read({ ...complete, toString: '1' }).ok).toBe(false);
  });

  test.each([
    'aws:cdk:enable-path-metadata',
    '@aws-cdk/core:newStyleStackSynthesis',
    'aws-cdk:enableDiffNoFail',
    'cdk:anything',
    'availability-zones:account=123456789012:region=eu-central-1',
    'acknowledged-issue-numbers',
    'cli-telemetry',
  ])('is ignored if it belongs to the CDK: %s', (key) => {
    expect(read({ ...complete, [key]: true }).ok).toBe(true);
  });
});

describe('the settings of who may call', () => {
  test('are read from the context', () => {
    const given = { ...complete, jwtAudience: 'web,ios', userScope: 'none', serviceScope: 'chat:write' };
    expect(read(given)).toMatchObject({
      ok: true,
      context: {
        jwtAudience: ['web', 'ios'],
        userScope: null,
        serviceScope: 'chat:write',
        serviceAuth: 'jwt',
      },
    });
    expect(read({ ...complete, serviceAuth: 'iam' })).toMatchObject({
      ok: true,
      context: { userScope: 'tidemark/user', serviceAuth: 'iam' },
    });
  });

  test('serviceScope cannot be none', () => {
    expect(read({ ...complete, serviceScope: 'none' })).toEqual({
      ok: false,
      problems: [
        'serviceScope is "none". It must be a scope of 1 to 64 characters that only your back end\'s tokens have. ' +
          'It cannot be none: every user could then call the routes of back ends. If your tokens have no scopes, use ' +
          "-c serviceAuth=iam. Pass for example: -c serviceScope='tidemark/service'",
      ],
    });
  });

  test('users and back ends cannot have the same scope', () => {
    expect(read({ ...complete, userScope: 'chat', serviceScope: 'chat' })).toEqual({
      ok: false,
      problems: [
        'userScope and serviceScope are both "chat". They must differ: every user could otherwise call the routes of back ends.',
      ],
    });
    expect(read({ ...complete, userScope: 'tidemark/service' }).ok).toBe(false);
    expect(read({ ...complete, userScope: 'tidemark/service', serviceAuth: 'iam' }).ok).toBe(true);
  });
});

describe('a context with mistakes', () => {
  test('reports all missing settings at once', () => {
    expect(read({})).toEqual({
      ok: false,
      problems: [
        "stage is missing. It must be up to 20 lower-case letters, digits and single hyphens, beginning with a letter. Pass for example: -c stage='prod'",
        'jwtIssuer is missing. It must be an https URL, exactly as it stands in the "iss" of your tokens, of a host that the internet reaches. Pass for example: -c jwtIssuer=\'https://login.example.com/\'',
        'jwtAudience is missing. It must be the "aud" of your tokens; several are separated by commas without blanks. Pass for example: -c jwtAudience=\'tidemark\'',
        'upstashSecretArn is missing. It must be the complete ARN (it ends in six random characters) of a secret {"url","token"} for Upstash. Pass for example: -c upstashSecretArn=\'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2\'',
      ],
    });
  });

  test('reports all malformed settings at once', () => {
    const given = {
      ...complete,
      jwtIssuer: 'login.example.com',
      membership: 'closed',
      messageRetentionDays: 0,
    };
    expect(read(given)).toEqual({
      ok: false,
      problems: [
        'jwtIssuer is "login.example.com". It must be an https URL, exactly as it stands in the "iss" of your tokens, of a host that the internet reaches. Pass for example: -c jwtIssuer=\'https://login.example.com/\'',
        'membership is "closed". It must be "strict" or "open". Pass for example: -c membership=\'strict\'',
        "messageRetentionDays is 0. It must be a whole number of days from 1 to 3650. Pass for example: -c messageRetentionDays='90'",
      ],
    });
  });

  test('reports that a webhook needs events', () => {
    expect(read({ ...complete, events: 'off', webhookUrl: 'https://chat.example.com/hook' })).toEqual({
      ok: false,
      problems: [
        'events is "off", and webhookUrl is given. A webhook receives events: leave one of the two out.',
      ],
    });
    expect(read({ ...complete, events: 'off' })).toMatchObject({ ok: true, context: { events: 'off' } });
  });

  test('reports why "*" is no valid origin', () => {
    const problem = (given: string) =>
      `corsOrigins is "${given}". It must be the origins of your web pages as browsers send them, such as https://chat.example.com (http only for this machine), separated by commas without blanks. "*" is refused: a page of any site could then call with a stolen token. Pass for example: -c corsOrigins='https://chat.example.com,http://localhost:5173'`;
    for (const given of ['*', 'https://*', 'https://*.example.com', 'https://chat.example.com,*']) {
      expect(read({ ...complete, corsOrigins: given })).toEqual({ ok: false, problems: [problem(given)] });
    }
  });

  test.each([
    ['stage', '', `It must be up to 20 lower-case letters`],
    ['stage', 'Prod', 'It must be up to 20 lower-case letters'],
    ['stage', 'prod-', 'It must be up to 20 lower-case letters'],
    ['stage', '1prod', 'It must be up to 20 lower-case letters'],
    ['stage', 'a-stage-of-21-letters', 'It must be up to 20 lower-case letters'],
    ['jwtIssuer', 'http://login.example.com/', 'It must be an https URL'],
    ['jwtIssuer', 'http://localhost.example.com/', 'It must be an https URL'],
    ['jwtIssuer', 'https://login.example.com/?tenant=7', 'It must be an https URL'],
    ['jwtIssuer', ' https://login.example.com/', 'It must be an https URL'],
    ['jwtIssuer', ['https://login.example.com/'], 'It must be an https URL'],
    ['jwtAudience', 'one, two', 'It must be the "aud" of your tokens'],
    ['jwtAudience', 'one,', 'It must be the "aud" of your tokens'],
    ['jwtAudience', 'one,one', 'It must be the "aud" of your tokens'],
    ['userScope', '', 'It must be a scope of 1 to 64 characters'],
    ['userScope', 'two scopes', 'It must be a scope of 1 to 64 characters'],
    ['userScope', 'tidemark"user', 'It must be a scope of 1 to 64 characters'],
    ['userScope', 'x'.repeat(65), 'It must be a scope of 1 to 64 characters'],
    ['serviceScope', 'one,two', 'It must be a scope of 1 to 64 characters'],
    ['serviceScope', 'None', 'It must be a scope of 1 to 64 characters'],
    ['userScope', 'NONE', 'It must be a scope of 1 to 64 characters'],
    ['serviceAuth', 'IAM', 'It must be "jwt" or "iam"'],
    ['jwtAudience', '', 'It must be the "aud" of your tokens'],
    ['upstashSecretArn', 'tidemark/upstash', 'It must be the complete ARN'],
    [
      'upstashSecretArn',
      'arn:aws:secretsmanager:eu-central-1:123456789012:secret:upstash',
      'It must be the complete ARN',
    ],
    ['factsSource', 'tidemark', "It must be the source of your chat's events"],
    ['factsSource', 'aws.ec2', "It must be the source of your chat's events"],
    ['events', 'none', 'It must be "on" or "off"'],
    ['alarmEmail', 'on-call', 'It must be one mail address'],
    ['alarmEmail', 'one@example.com,two@example.com', 'It must be one mail address'],
    ['alarmTopicArn', 'on-call', 'It must be the ARN of a standard SNS topic'],
    // CloudWatch cannot publish to a FIFO topic.
    [
      'alarmTopicArn',
      'arn:aws:sns:eu-central-1:123456789012:on-call.fifo',
      'It must be the ARN of a standard',
    ],
    ['factsSource', 'my chat', "It must be the source of your chat's events"],
    ['membership', true, 'It must be "strict" or "open"'],
    ['messageRetentionDays', '3651', 'It must be a whole number of days'],
    ['messageRetentionDays', '30.5', 'It must be a whole number of days'],
    ['messageRetentionDays', '1e2', 'It must be a whole number of days'],
    ['webhookUrl', '', 'It must be an https URL without user or password'],
    ['webhookUrl', 'http://chat.example.com/hook', 'It must be an https URL without user or password'],
    ['webhookUrl', 'https://user:pass@chat.example.com/', 'It must be an https URL without user or password'],
    ['webhookUrl', 'ftp://127.0.0.1/', 'It must be an https URL without user or password'],
    ['webhookConcurrency', 1, 'It must be a whole number from 2 to 1000'],
    ['webhookConcurrency', '1001', 'It must be a whole number from 2 to 1000'],
    ['webhookConcurrency', '5.5', 'It must be a whole number from 2 to 1000'],
    ...[
      '',
      'chat.example.com',
      'http://chat.example.com',
      'http://localhost.example.com',
      'https://chat.example.com/',
      'https://chat.example.com/app',
      'https://chat.example.com:443',
      'https://Chat.example.com',
      'https://bücher.example',
      'https://user@chat.example.com',
      'https://chat.example.com,',
      'https://chat.example.com, https://beta.example.com',
      'https://chat.example.com https://beta.example.com',
      'file://',
      'chrome-extension://abc',
      'null',
      ['https://chat.example.com'],
    ].map((given) => ['corsOrigins', given, 'It must be the origins of your web pages'] as const),
  ])('may not have %s %p', (key, value, advice) => {
    const reading = read({ ...complete, [key]: value });
    expect(reading.ok ? [] : reading.problems).toEqual([
      expect.stringContaining(`${key} is ${JSON.stringify(value)}. ${advice}`),
    ]);
  });
});
