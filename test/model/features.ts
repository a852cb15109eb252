/** What the service learns step by step. Each is played on the running stack as soon as the stack has its routes. */
const FEATURES = [
  'unread details',
  'message attributes',
  'messages in bulk',
  'preferences',
  'group settings',
  'inbox filters',
  'badge',
  'mark all',
] as const;

export type Feature = (typeof FEATURES)[number];
export type Features = ReadonlySet<Feature>;

export const ALL_FEATURES: Features = new Set(FEATURES);

/** The features of the running stack. Histories that are played on it have no others. */
export const PLAYED: Features = new Set<Feature>([]);
