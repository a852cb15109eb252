import fc from 'fast-check';
import type { Scene, Setting } from './choices.ts';
import type { Step } from './operations.ts';
import { markingEverything, overtaking, rejoining, sendingAndMarkingUnread } from './scenes-of-marks.ts';
import { recordingAgain, recordingSeveral, reminding } from './scenes-of-messages.ts';
import { deletingGroup, erasingUser, exporting } from './scenes-of-removal.ts';
import {
  archiving,
  hidingReceipts,
  readingAllGroups,
  settingGroup,
  settingPreferences,
} from './scenes-of-settings.ts';

/** What most scenes of a history can be about. */
export type Focus =
  | 'overtaking'
  | 'message attributes'
  | 'messages in bulk'
  | 'reminders'
  | 'preferences'
  | 'group settings'
  | 'all groups'
  | 'group deletion'
  | 'user erasure'
  | 'export';

interface Weighted {
  readonly weight: number;
  readonly about?: Focus;
  readonly arbitrary: Scene;
}

/** Sequences of steps that are too rare in random histories; with `focus`, only those about it. */
export function aScene(setting: Setting, focus?: Focus): fc.Arbitrary<readonly Step[]> {
  const { withFacts, withReminders } = setting;
  const erasures: Weighted[] = [
    { weight: 1, about: 'user erasure', arbitrary: erasingUser(setting) },
    { weight: 1, about: 'export', arbitrary: exporting(setting) },
  ];
  const scenes: Weighted[] = [
    { weight: 1, arbitrary: rejoining(setting) },
    { weight: 1, about: 'overtaking', arbitrary: overtaking(setting) },
    { weight: 1, arbitrary: sendingAndMarkingUnread(setting) },
    { weight: 1, arbitrary: markingEverything(setting) },
    { weight: 2, about: 'message attributes', arbitrary: recordingAgain(setting) },
    { weight: 1, about: 'messages in bulk', arbitrary: recordingSeveral(setting) },
    ...(withReminders ? [{ weight: 1, about: 'reminders', arbitrary: reminding(setting) } as const] : []),
    { weight: 1, about: 'preferences', arbitrary: hidingReceipts(setting) },
    { weight: 1, about: 'preferences', arbitrary: archiving(setting) },
    { weight: 1, about: 'preferences', arbitrary: settingPreferences },
    { weight: 1, about: 'group settings', arbitrary: settingGroup(setting) },
    { weight: 3, about: 'all groups', arbitrary: readingAllGroups(setting) },
    { weight: 1, about: 'group deletion', arbitrary: deletingGroup(setting) },
    ...(withFacts ? [] : erasures),
  ];
  const wanted = focus === undefined ? scenes : scenes.filter(({ about }) => about === focus);
  return fc.oneof(...wanted).map((operations) => operations.map((operation) => [operation]));
}
