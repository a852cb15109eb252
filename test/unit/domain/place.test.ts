import { expect, test } from '@jest/globals';
import { preferencesAnswer } from '../../../functions/runtime/preferences-answer.ts';
import { NO_HEAD } from '../../../shared/domain/head.ts';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { joinAt } from '../../../shared/domain/membership.ts';
import { formatPlace } from '../../../shared/domain/place.ts';
import { START } from '../../../shared/domain/position.ts';

test('after joining again, lists have the revision of preferences that their own route has', () => {
  const joined = joinAt(START, 1_700_000_000_000, 1_600_000_000_000);
  const membership = {
    ...joined,
    preferences: { ...joined.preferences, revision: 2, notify: 'none' as const },
  };
  expect(formatPlace(NO_HEAD, membership)).toMatchObject({ preferencesRevision: 1_600_000_000_002 });
  expect(preferencesAnswer('tea' as GroupId, { membership, archived: false })).toMatchObject({
    revision: 1_600_000_000_002,
  });
});
