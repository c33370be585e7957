# SPDX-License-Identifier: Apache-2.0
"""
Side by side with kube-proxy: the same manifests, the same questions, the same servers that answer. Where
the answers differ, DIFFERENCES says what and why; nothing else may.
"""

import concurrent.futures
import contextlib

import pytest

from harness import kube_proxy, service_set
from harness.service_site import ServiceSite
from harness.whoami import REFUSED, SILENT, Answer


def is_cluster_ip(question):
    return question.address.startswith(("172.20.", "fd00:20:"))


def is_node2(question):
    return question.address in ("192.0.2.12", "2001:db8:1::12")


# (which questions, what kube-proxy does (None: whatever), who answers here, why)
DIFFERENCES = [
    (lambda q: q.client == "far" and is_cluster_ip(q), None, SILENT,
     "a ClusterIP is for the cluster: Cilium drops what comes from outside unless "
     "bpf-lb-external-clusterip says otherwise"),
    (lambda q: q.service == "internal-local" and q.client in ("client1", "host1"), None, REFUSED,
     "no back end on this node: an ICMP error tells the client at once, where kube-proxy is silent, "
     "or fails a program of the host with EPERM"),
    (lambda q: q.service in ("nodeport-local", "balancer-local") and q.client != "client2"
     and is_node2(q), SILENT, REFUSED, "the same for externalTrafficPolicy: no black hole"),
    (lambda q: q.service == "balancer-ranges" and q.client == "host1", None, None,
     "loadBalancerSourceRanges is for clients outside, as in Cilium: sockets of the cluster's own "
     "machines do not ask for it"),
]


def asked(site, questions):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        return dict(zip(questions, pool.map(site.answers, questions)))


@pytest.fixture(scope="module")
def ours():
    with contextlib.closing(ServiceSite(kube_proxy_replacement=True)) as site:
        service_set.put_all(site)
        yield asked(site, service_set.all_questions(site))
        for node in site.nodes:
            print(node.log())


@pytest.fixture(scope="module", params=["nftables", "iptables"])
def reference(request):
    try:
        site = ServiceSite(request.param)
    except kube_proxy.NoKubeProxy as error:
        pytest.skip(str(error))
    with contextlib.closing(site):
        service_set.put_all(site)
        yield asked(site, service_set.all_questions(site))


def servers(answers):
    return {each.server if isinstance(each, Answer) else each for each in answers}


def sources(answers):
    return {each.peer for each in answers if isinstance(each, Answer)}


def explained(question, theirs, ours_):
    for applies, their_answer, our_answer, _ in DIFFERENCES:
        if (applies(question) and their_answer in (None, *theirs)
                and ours_ == ({our_answer} if our_answer else set(question.servers))):
            return True
    return False


def expected(question):
    """Who answers here, which needs no kube-proxy to be known."""
    for applies, _, our_answer, _ in DIFFERENCES:
        if our_answer and applies(question):
            return {our_answer}
    if question.service == "balancer-denied" and question.port == 80:
        return {SILENT}  # as at kube-proxy's
    return set(question.servers) or {REFUSED}


def test_who_answers(ours):
    wrong = [f"{question}: {servers(own)}, not {expected(question)}"
             for question, own in ours.items() if servers(own) != expected(question)]
    assert not wrong, "\n".join(wrong)


def matching(ours, reference):
    """Questions of one site with the answers of both: addresses of pods are no part of a question."""
    assert set(ours) == set(reference)
    return [(question, reference[question], ours[question]) for question in ours]


def test_same_servers_answer(ours, reference):
    wrong = [f"{question}: kube-proxy {servers(theirs)}, ours {servers(own)}"
             for question, theirs, own in matching(ours, reference)
             if servers(theirs) != servers(own)
             and not explained(question, servers(theirs), servers(own))]
    assert not wrong, "\n".join(wrong)


def test_source_address_is_kept_where_kube_proxy_keeps_it(ours, reference):
    """We keep it more often: kube-proxy hides the client's address also where the server is near."""
    wrong = [f"{question}: kube-proxy shows {sources(theirs)}, ours {sources(own)}"
             for question, theirs, own in matching(ours, reference)
             if sources(own) and sources(theirs) == {question.client}
             and sources(own) != {question.client}]
    assert not wrong, "\n".join(wrong)


def test_differences_are_real(ours, reference):
    """A row of the table that nothing needs any more is to go."""
    for applies, _, _, why in DIFFERENCES:
        assert any(applies(question) and servers(theirs) != servers(own)
                   for question, theirs, own in matching(ours, reference)), why
