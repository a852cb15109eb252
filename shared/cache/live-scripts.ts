import claimFrames from './lua/claim-frames.lua';
import findOnline from './lua/find-online.lua';
import forgetOnline from './lua/forget-online.lua';
import groupView from './lua/group-view.lua';
import head from './lua/head.lua';
import membership from './lua/membership.lua';
import noteOffline from './lua/note-offline.lua';
import noteOnline from './lua/note-online.lua';
import online from './lua/online.lua';
import ownMessages from './lua/own-messages.lua';
import settleFrame from './lua/settle-frame.lua';
import takeFrame from './lua/take-frame.lua';
import { script } from './scripts.ts';

/** The scripts about connections and frames. They stay out of the bundles of functions that push nothing. */
export const LIVE_SCRIPTS = {
  noteOnline: script(online, noteOnline),
  noteOffline: script(online, noteOffline),
  forgetOnline: script(forgetOnline),
  findOnline: script(membership, head, groupView, online, findOnline),
  claimFrames: script(claimFrames),
  takeFrame: script(takeFrame),
  settleFrame: script(settleFrame),
  ownMessages: script(membership, head, groupView, ownMessages),
} as const;

export type LiveScriptName = keyof typeof LIVE_SCRIPTS;
