"""A proof for people to read."""

from __future__ import annotations

import os
import platform

from services.verification.findings import Kind
from tests.proof.campaign import Proof

SHOWN = 100


def markdown(proof: Proof) -> str:
    verdict = f"Not proven: {len(proof.wrong)} things are wrong" if proof.wrong else "Nothing is wrong"
    lines = [
        "# Proof",
        "",
        (
            f"**{verdict}.** "
            f"{proof.events:,} events, {proof.acknowledged:,} acknowledged commands of {proof.writers} writers over "
            f"{proof.products} products (and in bulk), {len(proof.struck)} faults, {proof.seconds:,.0f} s, "
            f"seed {proof.seed}."
        ),
        "",
        (
            f"Machine: {os.cpu_count()} processors shared by everything, {platform.system()} {platform.release()}, "
            f"Python {platform.python_version()}."
        ),
        "",
        "## What happened meanwhile",
        "",
        *(f"- {count:,} {what}" for what, count in sorted(proof.counts.items())),
        "",
        "## Faults",
        "",
        (
            "Each while everything was at work; *at rest* is how long it then took until all that had been written was "
            "published, shown and at the shop. *Repeated* are records sent twice with the same event id."
        ),
        "",
        "| fault | measured | acknowledged meanwhile | at rest after | repeated | at most |",
        "|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one.fault} | {one.measured} | {one.acknowledged:,} | {one.recovered_seconds} s | {one.repeated:,} | "
        f"{one.allowed:,} |"
        for one in proof.struck
    ]
    lines += ["", *(f"Not struck here: {line}." for line in proof.impossible)] if proof.impossible else []
    if proof.report is not None:
        lines += [
            "",
            "## What was compared in the end",
            "",
            "| check | compared | how many | wrong |",
            "|---|---|---:|---|",
        ]
        for check in proof.report.checks:
            told = ", ".join(f"{count} {kind}" for kind, count in check.violations.items()) or "nothing"
            lines.append(f"| {check.name} | {check.compared} | {check.count:,} | {told} |")
        lines += ["", f"`syncstore verify`, which made these comparisons, took {proof.report.seconds} s."]
        lines += ["", *(f"- {check.name}: {note}" for check in proof.report.checks for note in check.notes)]
        lines += [
            "",
            f"`{Kind.UNREADABLE}` records are those that faults had planted." if proof.report.violations else "",
        ]
    if not proof.wrong:
        lines += ["", f"All {proof.acknowledged:,} acknowledged commands are there, once, saying what was asked."]
    if proof.wrong:
        lines += ["", "## Wrong", "", *(f"- {line}" for line in proof.wrong[:SHOWN])]
    return "\n".join(lines) + "\n"
