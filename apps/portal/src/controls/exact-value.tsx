import type { ReactNode } from 'react';
import { ActionIcon, Box, Button, CopyButton, DataList, Group, Tooltip, VisuallyHidden } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { CheckIcon, CopyIcon } from '@radix-ui/react-icons';

/** Copies `value`; `what` names it for those who cannot see what stands beside the button. */
export function Copy({ value, what, words }: { value: string; what: string; words?: string }) {
  return (
    <CopyButton value={value}>
      {({ copied, copy }) => {
        const icon = copied ? <CheckIcon /> : <CopyIcon />;
        return (
          <>
            {words === undefined ? (
              <Tooltip label={copied ? 'Copied' : 'Copy'} withinPortal={false}>
                <ActionIcon
                  variant="subtle"
                  color={copied ? 'key' : 'gray'}
                  c={copied ? undefined : 'dimmed'}
                  onClick={copy}
                  aria-label={`Copy ${what}`}
                >
                  {icon}
                </ActionIcon>
              </Tooltip>
            ) : (
              <Button variant="default" size="xs" leftSection={icon} onClick={copy} aria-label={`${words} ${what}`}>
                {copied ? 'Copied' : words}
              </Button>
            )}
            <VisuallyHidden role="status">{copied ? `Copied ${what}` : ''}</VisuallyHidden>
          </>
        );
      }}
    </CopyButton>
  );
}

/** An address, ID or secret that is shown whole and can be copied. */
export function ExactValue({ value, what }: { value: string; what: string }) {
  return (
    <Group gap={4} wrap="nowrap" align="center">
      <Box className="exact" miw={0}>
        {value}
      </Box>
      <Copy value={value} what={what} />
    </Group>
  );
}

/** Facts by name: beside each other where there is room, else below. */
export function Facts({ children }: { children: ReactNode }) {
  // Known at once: laid out for a phone first, the whole page would jump on a wide screen.
  const wide = useMediaQuery('(min-width: 62em)', false, { getInitialValueInEffect: false });
  return (
    <DataList orientation={wide ? 'horizontal' : 'vertical'} labelWidth={190} gap={wide ? 6 : 'sm'}>
      {children}
    </DataList>
  );
}

/** One of `Facts`. */
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <DataList.Item style={{ alignItems: 'center' }}>
      <DataList.ItemLabel>{name}</DataList.ItemLabel>
      <DataList.ItemValue miw={0} w="100%">
        {children}
      </DataList.ItemValue>
    </DataList.Item>
  );
}
