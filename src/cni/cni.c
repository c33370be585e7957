// SPDX-License-Identifier: Apache-2.0
#include "src/cni/cni.h"

#include <string.h>

static const char *const texts[CNI_VERSION__MAX] = {
	[CNI_VERSION_0_3_0] = "0.3.0", [CNI_VERSION_0_3_1] = "0.3.1", [CNI_VERSION_0_4_0] = "0.4.0",
	[CNI_VERSION_1_0_0] = "1.0.0", [CNI_VERSION_1_1_0] = "1.1.0",
};

const char *cni_version_text(enum cni_version version)
{
	return texts[version];
}

int cni_version_parse(const char *text, enum cni_version *ret_version)
{
	for (int i = 0; i < CNI_VERSION__MAX; i++) {
		if (!strcmp(texts[i], text)) {
			*ret_version = (enum cni_version)i;
			return 0;
		}
	}
	return -EINVAL;
}

int cni_fail(GError **error, enum cni_error code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (error)
		*error = g_error_new_valist(error_quark(), (int)code, format, arguments);
	va_end(arguments);
	return (int)code;
}
