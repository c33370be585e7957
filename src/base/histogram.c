/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/histogram.h"

#include <math.h>
#include "src/base/clock.h"

const double histogram_bounds[HISTOGRAM_N_BOUNDS] = {
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
	0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10,
};

void histogram_add_ns(struct histogram *histogram, int64_t duration_ns)
{
	double seconds = (double)duration_ns / NSEC_PER_SEC;
	unsigned int i = 0;

	while (i < HISTOGRAM_N_BOUNDS && seconds > histogram_bounds[i])
		i++;
	histogram->counts[i]++;
	histogram->sum += seconds;
}

uint64_t histogram_n(const struct histogram *histogram)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i <= HISTOGRAM_N_BOUNDS; i++)
		n += histogram->counts[i];
	return n;
}

double histogram_quantile(const struct histogram *histogram, double part)
{
	double rank = part * histogram_n(histogram), before = 0;

	if (!histogram_n(histogram))
		return NAN;
	for (unsigned int i = 0; i < HISTOGRAM_N_BOUNDS; i++) {
		double lower = i ? histogram_bounds[i - 1] : 0;
		double n = histogram->counts[i];

		if (n > 0 && before + n >= rank)
			return lower + (histogram_bounds[i] - lower) * (rank - before) / n;
		before += n;
	}
	return histogram_bounds[HISTOGRAM_N_BOUNDS - 1];
}
