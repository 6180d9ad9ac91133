"""The worker: where workflows and steps, the database and the payment provider are put together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Protocol

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.billing import BillingSteps
from activities.clock import ClockSteps
from activities.collecting import CollectionSteps
from activities.credits import CreditSteps
from activities.errors import TranslateErrors
from activities.paying import PayingSteps
from activities.relaying import RelaySteps
from activities.signs_of_life import GiveSignsOfLife
from activities.steps import DeliverWebhooks, PumpUsage
from activities.usage import SIGNAL_WINDOW, UsageSteps
from activities.webhooks import WebhookSteps
from db.session import Database
from domain.errors import Unavailable
from domain.webhooks.addresses import PrivateAddresses
from providers.payments.port import PaymentProvider
from providers.payments.stripe import StripePayments
from providers.webhooks.sending import WebhookSender
from workflows.builds import Builds, deployment_of
from workflows.clock import TestClockWorkflow
from workflows.collection import CollectionWorkflow, RefundWorkflow
from workflows.credits import GrantWorkflow, TopUpWorkflow
from workflows.handles import TASK_QUEUE, RunningLives
from workflows.late_usage import LateUsageWorkflow
from workflows.life import long_steps
from workflows.paying import PayWorkflow
from workflows.relay import RelayWorkflow
from workflows.subscription import PinnedSubscriptionWorkflow, SubscriptionWorkflow
from workflows.usage_pump import UsagePumpWorkflow
from workflows.webhooks import WebhookWorkflow
from workflows.wire import DATA_CONVERTER

WORKFLOWS = (
    SubscriptionWorkflow,
    CollectionWorkflow,
    RefundWorkflow,
    GrantWorkflow,
    TopUpWorkflow,
    LateUsageWorkflow,
    PayWorkflow,
    TestClockWorkflow,
    RelayWorkflow,
    UsagePumpWorkflow,
    WebhookWorkflow,
)
# On a worker that is of a build; all but subscriptions go on on the current build.
VERSIONED = (PinnedSubscriptionWorkflow, *WORKFLOWS[1:])

CONNECT_SECONDS = 10
GRACE = timedelta(seconds=20)  # for steps under way when we are told to end
STEPS_AT_ONCE = 16
LONG_STEPS_AT_ONCE = (
    100  # they wait for other steps most of the time, so they have slots of their own
)
CONNECTIONS = 24
# Where a worker has died, those whose memory it was are taken over by another after this time.
STICKS_TO_A_WORKER = timedelta(seconds=5)
WORKFLOWS_IN_MEMORY = 500  # those that sleep for a month need not be among them
PATIENCE_OF_THE_RELAY = timedelta(seconds=5)  # who does not answer holds up nobody else
PATIENCE_OF_A_CLOCK = timedelta(seconds=60)  # an answer that was lost is asked for again
PUMP_SHARDS = 2
PUMP_ROUNDS = 600
PUMPS = tuple(f"usage-pump:{shard}-of-{PUMP_SHARDS}" for shard in range(PUMP_SHARDS))
RELAY = "relay"
WEBHOOKS = "webhooks"
WEBHOOK_ROUNDS = 600
ERRANDS = (*PUMPS, RELAY, WEBHOOKS)  # what runs for ever

# Our own values are the same inside and outside; only the workflows themselves are kept from the world.
RUNNER = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules("domain", "activities")
)


class Settings(Protocol):
    """What the worker must know. `temporal` are arguments of `Client.connect`."""

    @property
    def database_url(self) -> str: ...
    @property
    def temporal(self) -> Mapping[str, Any]: ...
    @property
    def stripe_api_key(self) -> str | None: ...
    @property
    def stripe_api_base(self) -> str | None: ...
    @property
    def usage_signal_window(self) -> timedelta: ...
    @property
    def webhook_private_addresses(self) -> PrivateAddresses: ...
    @property
    def build_id(self) -> str | None: ...


async def run(settings: Settings) -> None:
    """Work until cancelled. Raises `Unavailable`, in one clear line, where a server does not answer at the start."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(_payments(settings))
        database = Database(settings.database_url, CONNECTIONS)
        stack.push_async_callback(database.close)
        await database.check_role()
        client = await _connect(settings.temporal)
        await stack.enter_async_context(
            working(
                client,
                database,
                provider,
                usage_signal_window=settings.usage_signal_window,
                private_addresses=settings.webhook_private_addresses,
                build_id=settings.build_id,
            )
        )
        if settings.build_id is not None:
            await Builds(client).begin(settings.build_id)
        await begin_errands(client)
        await asyncio.Event().wait()


@asynccontextmanager
async def working(
    client: Client,
    database: Database,
    provider: PaymentProvider,
    task_queue: str = TASK_QUEUE,
    usage_signal_window: timedelta = SIGNAL_WINDOW,
    private_addresses: PrivateAddresses = "refused",
    build_id: str | None = None,
) -> AsyncIterator[None]:
    """Work while the block runs. `client` must speak the wire's data converter. With a `build_id` the worker is of that
    version of the deployment, and gets what Temporal routes to it; without one it is of no version.
    """
    build = None if build_id is None else deployment_of(build_id)
    lives = RunningLives(client, task_queue)
    paying = PayingSteps(database, provider, lives)
    steps = Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS if build is None else VERSIONED,
        activities=[*_steps(database, provider), paying.attach_payment_method],
        interceptors=[TranslateErrors(), GiveSignsOfLife()],
        workflow_runner=RUNNER,
        max_concurrent_activities=STEPS_AT_ONCE,
        max_cached_workflows=WORKFLOWS_IN_MEMORY,
        sticky_queue_schedule_to_start_timeout=STICKS_TO_A_WORKER,
        graceful_shutdown_timeout=GRACE,
        deployment_config=build,
    )
    sender = WebhookSender()
    webhooks = WebhookSteps(database, sender, private_addresses)
    long = Worker(
        client,
        task_queue=long_steps(task_queue),
        activities=[
            *_long_steps(database, lives, usage_signal_window),
            webhooks.deliver_webhooks,
            paying.attempt_unpaid,
        ],
        interceptors=[TranslateErrors(), GiveSignsOfLife()],
        max_concurrent_activities=LONG_STEPS_AT_ONCE,
        graceful_shutdown_timeout=GRACE,
        deployment_config=build,
    )
    async with sender:
        try:
            async with steps, long:
                yield
        finally:
            await webhooks.end()


def _steps(
    database: Database, provider: PaymentProvider
) -> Iterator[Callable[..., Awaitable[object]]]:
    billing, credits = BillingSteps(database), CreditSteps(database)
    collecting = CollectionSteps(database, provider)
    yield billing.begin
    yield billing.start_window
    yield billing.end_day
    yield billing.end_period
    yield billing.charge_usage
    yield billing.carry_out
    yield billing.do_scheduled
    yield billing.expire_grant
    yield collecting.attempt_payment
    yield collecting.look_up_payment
    yield collecting.send_refund
    yield credits.end_grant
    yield credits.top_up


def _long_steps(
    database: Database, lives: RunningLives, usage_signal_window: timedelta
) -> Iterator[Callable[..., Awaitable[object]]]:
    patient = RunningLives(lives.client, lives.task_queue, PATIENCE_OF_A_CLOCK)
    impatient = RunningLives(lives.client, lives.task_queue, PATIENCE_OF_THE_RELAY)
    yield ClockSteps(database, patient).advance_clock
    yield RelaySteps(database, impatient).relay
    yield UsageSteps(database, lives.client, usage_signal_window).pump_usage


async def begin_errands(client: Client, task_queue: str = TASK_QUEUE) -> None:
    """Start what runs for ever, once for all workers: the usage pump, the relay and the webhooks."""
    for shard, pump in enumerate(PUMPS):
        await client.start_workflow(
            UsagePumpWorkflow.run,
            PumpUsage(shard, PUMP_SHARDS, PUMP_ROUNDS),
            id=pump,
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    await client.start_workflow(
        RelayWorkflow.run,
        id=RELAY,
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    await client.start_workflow(
        WebhookWorkflow.run,
        DeliverWebhooks(WEBHOOK_ROUNDS),
        id=WEBHOOKS,
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )


def _payments(settings: Settings) -> StripePayments:
    if settings.stripe_api_key is None:
        raise Unavailable("no payment provider: set STRIPE_API_KEY, or start `weir dev` here")
    sandbox = (
        settings.stripe_api_base
    )  # which takes every unit of a currency, other than card networks
    return StripePayments(
        settings.stripe_api_key, address=sandbox, to_the_last_digit=sandbox is not None
    )


async def _connect(arguments: Mapping[str, Any]) -> Client:
    target = arguments.get("target_host")
    try:
        connecting = Client.connect(**arguments, data_converter=DATA_CONVERTER)
        return await asyncio.wait_for(connecting, CONNECT_SECONDS)
    except (RuntimeError, RPCError, TimeoutError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no answer"
        raise Unavailable(f"Temporal at {target} does not answer: {reason}") from error
