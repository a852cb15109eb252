import { describe, expect, test } from '@jest/globals';
import { readContext } from '../../infra/context.ts';

const complete = {
  stage: 'prod',
  jwtIssuer: 'https://login.example.com/',
  jwtAudience: 'tidemark',
  upstashSecretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2',
};

function read(given: Record<string, unknown>) {
  return readContext((key) => given[key]);
}

describe('a context that is complete', () => {
  test('has defaults for what may be left out', () => {
    expect(read(complete)).toEqual({
      ok: true,
      context: {
        stage: 'prod',
        jwtIssuer: 'https://login.example.com/',
        jwtAudience: 'tidemark',
        upstashSecretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2',
        factsSource: 'chat',
        membership: 'strict',
        messageRetentionDays: 90,
        webhookConcurrency: 5,
      },
    });
  });

  test('takes over what is given', () => {
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

  test('takes a list of origins apart', () => {
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
    ['jwtIssuer', 'https://issuer.tidemark.localhost'],
    ['jwtIssuer', 'http://127.0.0.1:9000'],
    ['jwtIssuer', 'http://localhost:9000/realms/chat'],
    ['webhookUrl', 'http://127.0.0.1:4000/hook'],
    ['webhookUrl', 'http://[::1]:4000/hook'],
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

describe('a context with faults', () => {
  test('is told everything that is missing at once', () => {
    expect(read({})).toEqual({
      ok: false,
      problems: [
        "stage is missing. It must be up to 20 lower-case letters, digits and single hyphens, beginning with a letter. Pass for example: -c stage='prod'",
        'jwtIssuer is missing. It must be an https URL, exactly as it stands in the "iss" of your tokens. Pass for example: -c jwtIssuer=\'https://login.example.com/\'',
        'jwtAudience is missing. It must be the "aud" of your tokens, without blanks or commas. Pass for example: -c jwtAudience=\'tidemark\'',
        'upstashSecretArn is missing. It must be the complete ARN (it ends in six random characters) of a secret {"url","token"} for Upstash. Pass for example: -c upstashSecretArn=\'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2\'',
      ],
    });
  });

  test('is told everything that is malformed at once', () => {
    const given = {
      ...complete,
      jwtIssuer: 'login.example.com',
      membership: 'closed',
      messageRetentionDays: 0,
    };
    expect(read(given)).toEqual({
      ok: false,
      problems: [
        'jwtIssuer is "login.example.com". It must be an https URL, exactly as it stands in the "iss" of your tokens. Pass for example: -c jwtIssuer=\'https://login.example.com/\'',
        'membership is "closed". It must be "strict" or "open". Pass for example: -c membership=\'strict\'',
        "messageRetentionDays is 0. It must be a whole number of days from 1 to 3650. Pass for example: -c messageRetentionDays='90'",
      ],
    });
  });

  test('is told why a page of any origin may not call', () => {
    const problem = (given: string) =>
      `corsOrigins is "${given}". It must be the origins of your web pages as browsers send them, such as https://chat.example.com (http only for this machine), separated by commas without blanks. "*" is refused: a page of any site could then call with a token that it got hold of. Pass for example: -c corsOrigins='https://chat.example.com,http://localhost:5173'`;
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
    ['jwtAudience', 'one,two', 'It must be the "aud" of your tokens'],
    ['jwtAudience', '', 'It must be the "aud" of your tokens'],
    ['upstashSecretArn', 'tidemark/upstash', 'It must be the complete ARN'],
    [
      'upstashSecretArn',
      'arn:aws:secretsmanager:eu-central-1:123456789012:secret:upstash',
      'It must be the complete ARN',
    ],
    ['factsSource', 'tidemark', "It must be the source of your chat's events"],
    ['factsSource', 'aws.ec2', "It must be the source of your chat's events"],
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
