import type { Expected } from './expected.ts';
import type { Group, GroupSettings, View } from './model.ts';
import { INVALID, idText, problem } from './part.ts';
import type { Rules } from './rules.ts';

/** The answer of the routes. */
export function expectedSettings({ groupId, parentId, receipts }: Group, view: View): Expected {
  return { status: 200, body: { groupId, head: idText(view.head), parentId, receipts } };
}

export function setGroup(
  group: Group,
  set: GroupSettings,
  view: View,
  rules: Rules,
): readonly [Group, Expected] {
  const { parentId = group.parentId, receipts = group.receipts } = set;
  if (parentId === group.groupId) return [group, INVALID];
  if (!rules.mayBecomeParent(group, parentId)) return [group, problem(409, 'conflict')];
  const changed = { ...group, parentId, receipts };
  return [changed, expectedSettings(changed, view)];
}
