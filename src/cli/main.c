/* SPDX-License-Identifier: Apache-2.0 */
/* cilium, and by another name cilium-dbg: the command line of the node. */
#include "src/cli/command.h"

int main(int argc, char *argv[])
{
	return cli_main(argc, argv);
}
