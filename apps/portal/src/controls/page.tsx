import { Component, useEffect, useRef, type ReactNode } from 'react';
import { Alert, Anchor, Box, Button, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { Link } from 'wouter';

export interface PageProps {
  title: string;
  /** What stands above: the page that this one is a part of. */
  within?: { title: string; href: string };
  /** What stands beside the title: states and actions. */
  beside?: ReactNode;
  children: ReactNode;
}

let isFirstPage = true;

/** A page of the portal. Coming from another one moves the focus to its title, so that a screen reader says where one is. */
export function Page({ title, within, beside, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!isFirstPage) heading.current?.focus();
    isFirstPage = false;
  }, []);
  return (
    <Stack gap="lg" maw={1040} mx="auto">
      <title>{`${title} · Latchkey`}</title>
      <Box>
        {within && (
          <Anchor component={Link} href={within.href} size="sm">
            ← {within.title}
          </Anchor>
        )}
        <Group justify="space-between" gap="sm">
          <Title order={1} size="h2" ref={heading} tabIndex={-1} style={{ overflowWrap: 'anywhere' }}>
            {title}
          </Title>
          {beside}
        </Group>
      </Box>
      {children}
    </Stack>
  );
}

/** A part of a page under its own heading. */
export function Section({ title, about, beside, children }: { title: string; about?: ReactNode; beside?: ReactNode; children: ReactNode }) {
  return (
    <Paper withBorder p={{ base: 'md', sm: 'lg' }} component="section" aria-label={title}>
      <Box className="section-head" mb="md">
        <Title order={2} size="h4">
          {title}
        </Title>
        {about && (
          <Text size="sm" c="dimmed" maw={720} className="about">
            {about}
          </Text>
        )}
        {beside && <div className="beside">{beside}</div>}
      </Box>
      {children}
    </Paper>
  );
}

/** Shows a way on when a page breaks, or when its code is gone because a newer portal was installed meanwhile. */
export class PageGuard extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <Alert color="red" variant="outline" title="This page cannot be shown" role="alert">
        <Text size="sm" mb="sm">
          It broke, or a newer version of it was installed while it was open.
        </Text>
        <Button size="xs" variant="default" onClick={() => window.location.reload()}>
          Load it again
        </Button>
      </Alert>
    );
  }
}
