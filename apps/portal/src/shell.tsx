import { lazy, Suspense, useState, type ReactNode } from 'react';
import {
  ActionIcon,
  AppShell,
  Burger,
  Button,
  Group,
  Menu,
  NavLink,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import {
  ArchiveIcon,
  AvatarIcon,
  BarChartIcon,
  CheckCircledIcon,
  GearIcon,
  ExitIcon,
  IdCardIcon,
  LockClosedIcon,
  MoonIcon,
  PersonIcon,
  ReaderIcon,
  RocketIcon,
  SunIcon,
} from '@radix-ui/react-icons';
import { useQueryClient } from '@tanstack/react-query';
import type { TenantPermission } from '@latchkey/contracts';
import { useAuth } from 'react-oidc-context';
import { Link, useLocation } from 'wouter';
import { useMe } from './api/queries.ts';
import { toProblem } from './api/problem.ts';
import { chosenTenant } from './session/chosen-tenant.ts';
import { signedInHere } from './session/user-manager.ts';

const TenantMenu = lazy(async () => ({ default: (await import('./tenant/tenant-menu.tsx')).TenantMenu }));
const MakeTenant = lazy(async () => ({ default: (await import('./tenant/tenant-menu.tsx')).MakeTenant }));
const NoTenant = lazy(async () => ({ default: (await import('./tenant/tenant-menu.tsx')).NoTenant }));

interface Section {
  title: string;
  href: string;
  icon: ReactNode;
  holds: (path: string) => boolean;
  /** Without this permission the section is not shown: it would be empty. */
  needs?: TenantPermission;
}

function section(title: string, href: string, icon: ReactNode, needs?: TenantPermission): Section {
  return { title, href, icon, holds: (path) => path.startsWith(href), ...(needs ? { needs } : {}) };
}

const sections: Section[] = [
  {
    title: 'Repositories',
    href: '/',
    icon: <ArchiveIcon />,
    holds: (path: string) => ['/', '/new-repository', '/welcome'].includes(path) || path.startsWith('/repositories/'),
  },
  section('API keys', '/api-keys', <LockClosedIcon />),
  section('Usage', '/usage', <BarChartIcon />),
  section('Audit trail', '/audit', <ReaderIcon />, 'audit:read'),
  section('Webhooks', '/webhooks', <RocketIcon />),
  section('Members', '/members', <PersonIcon />),
  section('Tenant credentials', '/credentials', <IdCardIcon />, 'credentials:write'),
  section('Tenant', '/tenant', <GearIcon />),
  section('The proof', '/proof', <CheckCircledIcon />),
  section('Profile', '/profile', <AvatarIcon />),
];

/** What is around every page: the menu, the member, the colours. */
export function Shell({ children }: { children: ReactNode }) {
  const [menuIsOpen, menu] = useDisclosure();
  const [path] = useLocation();
  const me = useMe();
  const may = me.data?.permissions;
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: !menuIsOpen } }}
      padding={{ base: 'md', sm: 'xl' }}
    >
      <a className="skip-link" href="#page">
        Skip to the page
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" gap="sm" wrap="nowrap">
          <Burger
            opened={menuIsOpen}
            onClick={menu.toggle}
            hiddenFrom="sm"
            size="sm"
            aria-label="Menu"
            aria-expanded={menuIsOpen}
            aria-controls="menu"
          />
          <Group component={Link as never} {...{ href: '/' }} gap="xs" wrap="nowrap" c="inherit" td="none">
            <img src="/favicon.svg" alt="" width={28} height={28} />
            <Text fw={700} size="lg">
              Latchkey
            </Text>
          </Group>
          <Group ml="auto" gap="xs" wrap="nowrap">
            <ColourSwitch />
            <Member />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar id="menu" className="menu" data-closed={!menuIsOpen || undefined} p="sm" aria-label="Sections">
        {sections
          .filter(({ needs }) => !needs || !may || may.includes(needs))
          .map(({ title, href, icon, holds }) => (
            <NavLink
              key={href}
              component={Link}
              href={href}
              onClick={menu.close}
              label={title}
              leftSection={icon}
              active={holds(path)}
              aria-current={holds(path) ? 'page' : undefined}
            />
          ))}
      </AppShell.Navbar>
      <AppShell.Main id="page">
        {me.error && toProblem(me.error).type === 'forbidden' ? (
          <Suspense>
            <NoTenant />
          </Suspense>
        ) : (
          children
        )}
      </AppShell.Main>
    </AppShell>
  );
}

function ColourSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const other = useComputedColorScheme('light') === 'light' ? 'dark' : 'light';
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      c="dimmed"
      size="lg"
      onClick={() => setColorScheme(other)}
      aria-label={`Use ${other} colours`}
    >
      {other === 'dark' ? <MoonIcon /> : <SunIcon />}
    </ActionIcon>
  );
}

function Member() {
  const auth = useAuth();
  const queries = useQueryClient();
  const [making, setMaking] = useState(false);
  const { name, preferred_username: loginName, email } = auth.user?.profile ?? {};
  const who = name ?? loginName ?? 'You';
  const signOut = async () => {
    signedInHere.remove();
    chosenTenant.forget();
    // What is still being read would be refused from here on, and ask for a new token.
    queries.setDefaultOptions({ queries: { enabled: false } });
    await queries.cancelQueries();
    await auth.signoutRedirect();
    // Only reached when the authority was not: then at least this page forgets the member.
    await auth.removeUser();
  };
  return (
    <>
      <Menu position="bottom-end" withinPortal={false} width="max-content">
        <Menu.Target>
          {/* On a phone there is no room for a name. */}
          <Button variant="subtle" color="gray" c="var(--mantine-color-text)" px={{ base: 'xs', sm: 'md' }} aria-label={who}>
            <PersonIcon />
            <Text component="span" inherit truncate maw={320} ml="xs" visibleFrom="sm">
              {who}
            </Text>
          </Button>
        </Menu.Target>
        <Menu.Dropdown maw="calc(100vw - 2rem)">
          <Menu.Label hiddenFrom="sm" fw={600} c="var(--mantine-color-text)">
            {who}
          </Menu.Label>
          {email !== undefined && <Menu.Label>{email}</Menu.Label>}
          <Suspense>
            <TenantMenu onMake={() => setMaking(true)} />
          </Suspense>
          <Menu.Item leftSection={<ExitIcon />} onClick={() => void signOut()}>
            Sign out
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Suspense>{making && <MakeTenant onClose={() => setMaking(false)} />}</Suspense>
    </>
  );
}
