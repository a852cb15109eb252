const FIRST_PAUSE_SECONDS = 10;
const LONGEST_PAUSE_SECONDS = 3_600;

/**
 * Each pause is shorter or longer by up to this share, so that messages that failed together do not return together.
 */
const JITTER = 0.1;

/**
 * Returns the seconds until the next try of a message that was received this many times: 10 s, then twice as long each
 * time, at most an hour. The pauses of 32 receives last a day. `random` is from 0 to 1.
 */
export function retryPauseSeconds(receiveCount: number, random: number): number {
  const doublings = Math.min(Math.max(receiveCount, 1) - 1, 16);
  const pause = Math.min(FIRST_PAUSE_SECONDS * 2 ** doublings, LONGEST_PAUSE_SECONDS);
  return Math.round(pause * (1 - JITTER + 2 * JITTER * random));
}
