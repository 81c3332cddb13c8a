"""Publishes the orders of orders.jsonl."""

from decimal import Decimal
from pathlib import Path

from shop import Order

from avro_data_contracts.producers import Publisher, RejectedRecord


def check(order: Order) -> None:
    """What only the shop knows: the total is the sum of the items."""
    total = sum((item.price * item.quantity for item in order.items), Decimal(0))
    if abs(order.total) != total:
        raise RejectedRecord("WRONG_TOTAL", "the total is not the sum of the items", field="total")


with Publisher.of("orders", name="shop.orders") as publisher, Path("orders.jsonl").open("rb") as lines:
    for number, line in enumerate(lines, 1):
        try:
            order = Order.from_record(publisher.from_json(line))
            check(order)
            publisher.send(order)
        except RejectedRecord as refusal:
            print(f"line {number}: {refusal.what}")
            publisher.refuse(line, refusal, position=f"orders.jsonl, line {number}")
print(f"{publisher.produced} orders produced, {publisher.refused.total()} refused")
