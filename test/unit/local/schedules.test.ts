import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Template } from '../../../local/aws/cloudformation/template.ts';
import type { Lambda } from '../../../local/aws/lambda/lambda.ts';
import { Schedules } from '../../../local/aws/schedules/schedules.ts';
import { silentLog } from '../../../local/command/log.ts';

const FINDER = 'arn:aws:lambda:us-east-1:000000000000:function:finder';
const ROLE = 'arn:aws:iam::000000000000:role/Role';

interface Given {
  readonly target?: object;
  readonly schedule?: object;
  readonly action?: string;
}

/** A template with a schedule of `finder` and its role. */
function templateOf({ target = {}, schedule = {}, action = 'lambda:InvokeFunction' }: Given = {}): Template {
  return {
    stackName: 'a-stack',
    resources: [
      {
        logicalId: 'Schedule',
        type: 'AWS::Scheduler::Schedule',
        properties: {
          ScheduleExpression: 'rate(1 minute)',
          FlexibleTimeWindow: { Mode: 'OFF' },
          Target: {
            Arn: FINDER,
            RoleArn: ROLE,
            Input: '{"scheduledAt":"<aws.scheduler.scheduled-time>"}',
            ...target,
          },
          ...schedule,
        },
      },
      { logicalId: 'Role', type: 'AWS::IAM::Role', properties: {} },
      {
        logicalId: 'Policy',
        type: 'AWS::IAM::Policy',
        properties: {
          Roles: ['Role'],
          PolicyDocument: {
            Version: '2012-10-17',
            Statement: [{ Effect: 'Allow', Action: action, Resource: FINDER }],
          },
        },
      },
    ],
    identityOf: (logicalId) => ({ ref: logicalId, attributes: { Arn: ROLE } }),
    assetDirectory: () => undefined,
  };
}

let invoked: string[];
let invoke: (payload: string) => Promise<void>;
let nowMs: number;

function opened(given: Given = {}): Schedules {
  const lambda = {
    pool: () => ({}),
    invokeAsync: async (name: string, payload: string) => {
      invoked.push(`${name} ${payload}`);
      await invoke(payload);
      return { ok: true, payload: 'null' };
    },
  } as unknown as Lambda;
  return new Schedules(templateOf(given), { lambda, log: silentLog, nowMs: () => nowMs });
}

const minutes = (...times: string[]) => times.map((time) => `finder {"scheduledAt":"2026-03-01T${time}Z"}`);

/** Lets the machine's time pass, in steps: a timer is set again when it has ended. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    nowMs += 1_000;
    await jest.advanceTimersByTimeAsync(1_000);
  }
}

beforeEach(() => {
  jest.useFakeTimers();
  invoked = [];
  invoke = async () => undefined;
  nowMs = Date.parse('2026-03-01T12:00:20.500Z');
});
afterEach(() => {
  jest.useRealTimers();
});

test('a function is invoked at each full minute, with the minute in its input', async () => {
  const schedules = opened();
  schedules.start();
  await pass(39);
  expect(invoked).toEqual([]);
  await pass(1);
  expect(invoked).toEqual(minutes('12:01:00'));
  await pass(125);
  expect(invoked).toEqual(minutes('12:01:00', '12:02:00', '12:03:00'));
  await schedules.stop();
});

test('the clock is turned: all minutes up to then come in order, then the time itself', async () => {
  const schedules = opened();
  schedules.start();
  expect(new Date(await schedules.advance(150)).toISOString()).toBe('2026-03-01T12:02:51.000Z');
  expect(invoked).toEqual(minutes('12:01:00', '12:02:00', '12:02:51'));
  await schedules.stop();
});

test('the clock goes by the machine’s time again after it was turned', async () => {
  const schedules = opened();
  schedules.start();
  await schedules.advance(150);
  await pass(100);
  expect(invoked).toEqual(minutes('12:01:00', '12:02:00', '12:02:51', '12:01:00', '12:02:00'));
  expect(new Date(await schedules.advance(59)).toISOString()).toBe('2026-03-01T12:03:00.000Z');
  expect(invoked.slice(5)).toEqual(minutes('12:03:00'));
  await schedules.stop();
});

test('a minute begins when the one before has ended, also if that failed', async () => {
  let end: (error?: Error) => void = () => undefined;
  invoke = () =>
    new Promise((resolve, reject) => {
      end = (error) => (error ? reject(error) : resolve());
    });
  const schedules = opened();
  schedules.start();
  const played = schedules.advance(120);
  await pass(1);
  expect(invoked).toEqual(minutes('12:01:00'));
  end(new Error('the function failed'));
  await pass(1);
  expect(invoked).toEqual(minutes('12:01:00', '12:02:00'));
  const stopped = schedules.stop();
  end();
  await Promise.all([played, stopped]);
});

test('minutes that the machine slept through come when it wakes', async () => {
  const schedules = opened();
  schedules.start();
  nowMs += 180_000;
  await pass(60);
  expect(invoked).toEqual(minutes('12:01:00', '12:02:00', '12:03:00', '12:04:00'));
  await schedules.stop();
});

test('after the stop no minute begins, also none that was waiting', async () => {
  let end: () => void = () => undefined;
  invoke = () =>
    new Promise((resolve) => {
      end = resolve;
    });
  const schedules = opened();
  schedules.start();
  const played = schedules.advance(180);
  await pass(1);
  const stopped = schedules.stop();
  end();
  await Promise.all([played, stopped]);
  await pass(200);
  expect(invoked).toEqual(minutes('12:01:00'));
});

test.each([
  [
    'whose role may not invoke its function',
    { action: 'lambda:GetFunction' },
    'Schedule: its role may not invoke',
  ],
  ['whose role does not exist', { target: { RoleArn: 'arn:of:nobody' } }, 'there is no role arn:of:nobody'],
  ['of another rate', { schedule: { ScheduleExpression: 'rate(5 minutes)' } }, 'schedules of each minute'],
  ['in a time window', { schedule: { FlexibleTimeWindow: { Mode: 'FLEXIBLE' } } }, 'FlexibleTimeWindow'],
  [
    'with another keyword',
    { target: { Input: '<aws.scheduler.execution-id>' } },
    '<aws.scheduler.scheduled-time>',
  ],
  ['of a queue', { target: { Arn: 'arn:aws:sqs:us-east-1:000000000000:work' } }, 'schedules of functions'],
])('a schedule %s stops the start', (_what, given, reason) => {
  expect(() => opened(given)).toThrow(reason);
});
