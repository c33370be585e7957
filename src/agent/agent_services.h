/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent does about services besides deriving and applying them: its steps of the start. */
#pragma once

#include "src/agent/agent.h"

/*
 * Those made by hand, and which back ends were down. A full disk is no reason not to start: who asks for a service is
 * told.
 */
NODISCARD int agent_services_read(struct agent *agent, GError **error);
/* What the reconcilers want to know, and have to tell, of services: before they begin. */
void agent_services_set_up(struct agent *agent);
/* Asks back ends, and answers whoever asks whether services are healthy. */
NODISCARD int agent_services_serve(struct agent *agent, GError **error);
