import { useEffect, useState } from 'react';
import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { TimerIcon } from '@radix-ui/react-icons';
import type { Consumer } from '../api/queries.ts';
import { useChange, type Change } from '../api/use-change.ts';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { When } from '../controls/when.tsx';
import { countdown } from './countdown.ts';

/** A secret in a planned rotation that will end. */
export interface Ending {
  id: string;
  hint: string;
  expiresAt: string;
}

export interface RotationProps {
  name: string;
  ending: Ending;
  consumers: Consumer[];
  /** Since when there is a newer secret. */
  newerSince: string;
  finish: (headers: { 'Idempotency-Key': string }) => Promise<void>;
  cancel: (headers: { 'Idempotency-Key': string }) => Promise<void>;
  /** Called when the time is over. */
  onOver: () => void;
}

/** A planned rotation under way: how long both secrets work, who is still on the old one, and the two ways to end it now. */
export function Rotation({ name, ending, consumers, newerSince, finish, cancel, onOver }: RotationProps) {
  const [asking, setAsking] = useState<'finish' | 'cancel'>();
  const left = useTimeLeft(ending.expiresAt, onOver);
  const close = () => setAsking(undefined);
  const finishing = useChange(async (headers) => {
    await finish(headers);
    close();
  });
  const cancelling = useChange(async (headers) => {
    await cancel(headers);
    close();
  });
  const late = consumers.filter(({ secretId, lastUsedAt }) => secretId === ending.id && lastUsedAt > newerSince);
  return (
    <Alert color="yellow" variant="outline" icon={<TimerIcon />} title={<span>Both secrets work for {countdown(left)}</span>}>
      <Stack gap="sm">
        <Text size="sm">
          At <When at={ending.expiresAt} /> the secret <span className="exact">{ending.hint}</span> and its tokens end by themselves.
        </Text>
        <StillOn late={late} />
        <Group gap="sm">
          <Button size="xs" color="red.9" onClick={() => setAsking('finish')}>
            Cut the old one now
          </Button>
          <Button size="xs" variant="default" onClick={() => setAsking('cancel')}>
            Cancel the rotation
          </Button>
        </Group>
      </Stack>
      {asking && (
        <Ask which={asking} name={name} late={late.length} change={asking === 'finish' ? finishing : cancelling} onClose={close} />
      )}
    </Alert>
  );
}

function StillOn({ late }: { late: Consumer[] }) {
  const [latest] = late;
  if (!latest) {
    return (
      <Text size="sm">
        <b>Nobody has used the old secret since there is a new one.</b> As far as uses are recorded, it can be cut off.
      </Text>
    );
  }
  return (
    <Text size="sm">
      <b>Still on the old secret:</b> {[...new Set(late.map(({ consumer }) => consumer))].join(', ')}; last <When at={latest.lastUsedAt} />{' '}
      from <span className="exact">{latest.address}</span>.
    </Text>
  );
}

function Ask({
  which,
  name,
  late,
  change,
  onClose,
}: {
  which: 'finish' | 'cancel';
  name: string;
  late: number;
  change: Change<[]>;
  onClose: () => void;
}) {
  if (which === 'cancel') {
    return (
      <ConfirmDialog title={`Cancel the rotation of ${name}?`} action="Cancel it: end the new secret" change={change} onClose={onClose}>
        <Text size="sm">
          The moment that you confirm, the <b>new</b> secret and its tokens are refused everywhere. Tools that you have changed over stop;
          the old secret goes on working, with no end.
        </Text>
      </ConfirmDialog>
    );
  }
  return (
    <ConfirmDialog title={`Cut off the old secret of ${name} now?`} action="Cut it off now" change={change} onClose={onClose}>
      <Text size="sm">
        The moment that you confirm, the <b>old</b> secret and its tokens are refused everywhere.{' '}
        {late > 0 ? 'It is still in use: whoever has not changed over stops.' : 'No use of it is recorded since there is a new one.'}
      </Text>
    </ConfirmDialog>
  );
}

/** Milliseconds until then, counted by the second. */
function useTimeLeft(at: string, onOver: () => void): number {
  const read = () => Math.max(0, new Date(at).getTime() - Date.now());
  const [left, setLeft] = useState(read);
  useEffect(() => {
    const timer = setInterval(() => {
      const now = read();
      setLeft(now);
      if (now > 0) return;
      clearInterval(timer);
      onOver();
    }, 1_000);
    return () => clearInterval(timer);
    // Once for each end.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [at]);
  return left;
}
