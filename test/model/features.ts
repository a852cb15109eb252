/** The parts of the contract that histories may leave out, so that a history stays short where it needs few of them. */
const FEATURES = [
  'unread details',
  'message attributes',
  'messages in bulk',
  'preferences',
  'group settings',
  'group deletion',
  'inbox filters',
  'badge',
  'mark all',
  'export',
  'user erasure',
] as const;

export type Feature = (typeof FEATURES)[number] | 'reminders';
export type Features = ReadonlySet<Feature>;

/**
 * What each history may have. Only histories about reminders have these: they turn the clock of the whole stack, and so are
 * played one at a time.
 */
export const ALL_FEATURES: Features = new Set(FEATURES);
