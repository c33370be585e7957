# SPDX-License-Identifier: Apache-2.0
"""Namespaces, nodes, pods and probes for the network tests."""
