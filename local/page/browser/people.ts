/** The people of the page, by their user ids, in the order of their panels. */
export const PEOPLE = { alice: 'Alice', bob: 'Bob', carol: 'Carol' } as const;

export type Person = keyof typeof PEOPLE;

export const USER_IDS = Object.keys(PEOPLE) as readonly Person[];

export function isPerson(userId: string): userId is Person {
  return Object.hasOwn(PEOPLE, userId);
}

export function nameOf(userId: string): string {
  return isPerson(userId) ? PEOPLE[userId] : userId;
}

export function namesOf(userIds: readonly string[]): string {
  return userIds.map(nameOf).join(', ');
}
