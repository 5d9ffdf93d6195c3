-- What an event is about, as its publisher names it; by it waiting mail is found and withdrawn.
alter table consumed_events add column subject text;

grant delete on send_queue to outbound_api;

grant update (status, reason, version, trail, updated_at) on notification_logs to outbound_api;
