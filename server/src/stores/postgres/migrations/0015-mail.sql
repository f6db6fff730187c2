-- Mail that is to be sent: written with the act that causes it, sent after the commit, tried again until it is out.
create table mails (
  id uuid primary key,
  recipient text not null,
  -- Subject, text and html, sealed: a mail may hold a link that lets somebody in. Null once it is out or given up.
  content text,
  created_at timestamptz not null default now(),
  -- Also the lease of who is sending it now.
  next_try_at timestamptz not null default now(),
  tries integer not null default 0,
  sent_at timestamptz,
  failed_at timestamptz,
  error text
);
create index mails_due on mails (next_try_at) where sent_at is null and failed_at is null;
create index mails_done on mails (created_at) where sent_at is not null or failed_at is not null;
