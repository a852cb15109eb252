import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

export interface ProcessEntry {
  readonly parent: number;
  readonly command: string;
}

export interface ProcessTable {
  /** The current parent of this process: if the parent ends, the process gets another one. */
  ownParent(): number;
  /** Null if there is no such process or its entry cannot be read. */
  read(pid: number): Promise<ProcessEntry | null>;
}

const CHECK_EVERY_MS = 1_000;

/**
 * Calls `gone` once the npm that runs this script has ended. npm does not pass every signal to the script, and none if npm
 * is killed: without this check the script would go on running.
 */
export async function onceNpmIsGone(script: string, gone: () => void): Promise<void> {
  const npm = await findNpm(script, process.env, thisMachine);
  if (!npm) return;
  const timer = setInterval(async () => {
    if (!(await npm.isGone())) return;
    clearInterval(timer);
    gone();
  }, CHECK_EVERY_MS).unref();
}

/**
 * Finds the npm that runs a script in this process, or another script runner that sets the same variables. Null if
 * something else started the process, such as a shell: the shell may end, and the script goes on.
 */
export async function findNpm(
  script: string,
  environment: NodeJS.ProcessEnv,
  processes: ProcessTable,
): Promise<{ isGone(): Promise<boolean> } | null> {
  const line = environment.npm_lifecycle_script;
  // Every descendant of npm inherits the variables. Only this one shows that npm itself ran this script.
  if (!line?.includes(script)) return null;
  const parent = processes.ownParent();
  // Some shells replace themselves with the command: then npm is the parent. Others stay between npm and the command.
  const entry = await processes.read(parent);
  const npmOfShell = entry?.command.includes(line) ? entry.parent : null;
  return {
    async isGone() {
      if (processes.ownParent() !== parent) return true;
      if (npmOfShell === null) return false;
      const shell = await processes.read(parent);
      return shell !== null && shell.parent !== npmOfShell;
    },
  };
}

const thisMachine: ProcessTable = {
  ownParent: () => process.ppid,
  async read(pid) {
    return readFromProc(pid) ?? (await readFromPs(pid));
  },
};

/** On Linux, files describe the processes. */
function readFromProc(pid: number): ProcessEntry | null {
  try {
    // The parent is the second field after the command's name. The name is in parentheses and may have parentheses itself.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return { parent: Number(parent), command };
  } catch {
    return null;
  }
}

async function readFromPs(pid: number): Promise<ProcessEntry | null> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'ppid=,args=', '-p', String(pid)]);
    const [, parent, command] = /^\s*(\d+)\s+(.*)$/m.exec(stdout) ?? [];
    return command === undefined ? null : { parent: Number(parent), command };
  } catch {
    return null;
  }
}
