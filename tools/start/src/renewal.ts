import type { SupervisedProcess } from './supervised-process.js';

/**
 * What starts every process anew, one after the other: with the apps as they are compiled by then. Where there are several of an
 * app, the others serve meanwhile. It stops at one that does not come back. Asked again while it is at work, it does nothing.
 */
export function renewal(processes: SupervisedProcess[], say: (line: string) => void, stop: AbortSignal): () => void {
  let underWay = false;
  const renewAll = async () => {
    say('starting every app anew, one process after the other');
    for (const process of processes) {
      if (stop.aborted) return;
      await process.renew();
    }
    if (!stop.aborted) say('every app was started anew');
  };
  return () => {
    if (underWay) return;
    underWay = true;
    renewAll()
      .catch((error: Error) => say(`${error.message}; those after it run on as they were`))
      .finally(() => (underWay = false));
  };
}
