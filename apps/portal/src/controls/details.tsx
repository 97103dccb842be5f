import { Children, type ReactNode } from 'react';
import { Text } from '@mantine/core';

/** What is known of a thing, in a line with dots between; on a phone below each other, without. */
export function Details({ children }: { children: ReactNode }) {
  return (
    <Text size="sm" c="dimmed" component="div" className="details">
      {Children.toArray(children).map((child, index) => (
        // They stay in their order.
        <span key={index}>{child}</span>
      ))}
    </Text>
  );
}
