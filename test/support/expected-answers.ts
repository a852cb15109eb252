import { expect } from '@jest/globals';
import type { Answer } from './running-stack.ts';

export const A_TIME = expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
/** 2^64-1. */
export const LARGEST_ID = '18446744073709551615';
/** The `unread` of a group with this many unread messages, none of which mentions the user, and the first of them. */
export const exactly = (count: number, firstId: string | null) => ({
  count,
  mentions: 0,
  firstId,
  exact: true,
});
export const NONE_UNREAD = exactly(0, null);

/** The fields of a problem (RFC 9457). Texts must not be empty; a detail has several words. */
export const aProblem = (status: number, code: string) => ({
  type: expect.stringMatching(/./),
  title: expect.stringMatching(/./),
  status,
  code,
  detail: expect.stringMatching(/\w+ \w+/),
  requestId: expect.stringMatching(/./),
});

export const PROBLEM_TYPE = /^application\/problem\+json(;|$)/;

/** The answer has this status and exactly these fields. */
export function expectAnswer(answer: Answer, status: number, body: unknown): void {
  expect(answer.body).toEqual(body);
  expect(answer.status).toBe(status);
  expect(answer.contentType).toMatch(/^application\/json(;|$)/);
}

/** The answer is this problem. It may have further fields. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.body).toMatchObject(aProblem(status, code));
  expect(answer.status).toBe(status);
  expect(answer.contentType).toMatch(PROBLEM_TYPE);
}

export function expectNotFound(answer: Answer): void {
  expect(answer.body).toEqual(aProblem(404, 'not_found'));
  expect(answer.status).toBe(404);
  expect(answer.contentType).toMatch(PROBLEM_TYPE);
}

/** What an inbox and a frame say of a group without a parent, for a user who has chosen nothing. */
export const NOTHING_CHOSEN = {
  ...{ parentId: null, notify: 'all', mutedUntil: null },
  ...{ archive: 'no', archived: false, preferencesRevision: 0 },
} as const;
