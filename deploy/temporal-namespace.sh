#!/bin/sh
# Creates the namespace and the search attributes by which operators find subscriptions. Safe to repeat.
set -eu
until temporal operator cluster health; do sleep 2; done
temporal operator namespace describe --namespace default ||
  temporal operator namespace create --namespace default --retention 30d
attribute() {
  temporal operator search-attribute create --namespace default --name "$1" --type "$2" || true # it exists already
}
for name in BillingStatus CustomerId PlanId TenantId Currency; do attribute $name Keyword; done
for name in PeriodEnd NextActionAt; do attribute $name Datetime; done
for name in AmountDueMinor DunningStep; do attribute $name Int; done
attribute NeedsAttention Bool
