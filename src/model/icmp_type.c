/* SPDX-License-Identifier: Apache-2.0 */
#include "src/model/icmp_type.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

struct icmp_name {
	const char *name;
	uint8_t type;
};

static const struct icmp_name icmp4_names[] = {
	{"EchoReply", 0},
	{"DestinationUnreachable", 3},
	{"Redirect", 5},
	{"Echo", 8},
	{"EchoRequest", 8},
	{"RouterAdvertisement", 9},
	{"RouterSelection", 10},
	{"TimeExceeded", 11},
	{"ParameterProblem", 12},
	{"Timestamp", 13},
	{"TimestampReply", 14},
	{"Photuris", 40},
	{"ExtendedEcho Request", 42}, /* so in the documentation of the field */
	{"ExtendedEcho Reply", 43},
	{"ExtendedEchoRequest", 42},
	{"ExtendedEchoReply", 43},
	{},
};

static const struct icmp_name icmp6_names[] = {
	{"DestinationUnreachable", 1},
	{"PacketTooBig", 2},
	{"TimeExceeded", 3},
	{"ParameterProblem", 4},
	{"EchoRequest", 128},
	{"EchoReply", 129},
	{"MulticastListenerQuery", 130},
	{"MulticastListenerReport", 131},
	{"MulticastListenerDone", 132},
	{"RouterSolicitation", 133},
	{"RouterAdvertisement", 134},
	{"NeighborSolicitation", 135},
	{"NeighborAdvertisement", 136},
	{"RedirectMessage", 137},
	{"RouterRenumbering", 138},
	{"ICMPNodeInformationQuery", 139},
	{"ICMPNodeInformationResponse", 140},
	{"InverseNeighborDiscoverySolicitation", 141},
	{"InverseNeighborDiscoveryAdvertisement", 142},
	{"HomeAgentAddressDiscoveryRequest", 144},
	{"HomeAgentAddressDiscoveryReply", 145},
	{"MobilePrefixSolicitation", 146},
	{"MobilePrefixAdvertisement", 147},
	{"DuplicateAddressRequestCodeSuffix", 157},
	{"DuplicateAddressConfirmationCodeSuffix", 158},
	{"ExtendedEchoRequest", 160},
	{"ExtendedEchoReply", 161},
	{},
};

int icmp_type_find(bool v6, const char *name)
{
	const struct icmp_name *names = v6 ? icmp6_names : icmp4_names;

	for (; names->name; names++)
		if (strcmp(name, names->name) == 0)
			return names->type;
	return -ENOENT;
}
