// SPDX-License-Identifier: Apache-2.0
/*
 * For LD_PRELOAD, in tests only: the clocks are off by what the file $CLOCK_SHIM says, three int64 of
 * nanoseconds for CLOCK_REALTIME, CLOCK_MONOTONIC and CLOCK_BOOTTIME, which may change at any time.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *offsets(void)
{
	static volatile const int64_t *map;
	static const int64_t none[3];
	const char *path;
	int fd;

	if (map)
		return map;
	path = getenv("CLOCK_SHIM");
	fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	map = fd < 0 ? none : mmap(NULL, sizeof(none), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (map == MAP_FAILED)
		map = none;
	return map;
}

static int64_t offset_of(clockid_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		return offsets()[0];
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
		return offsets()[1];
	case CLOCK_BOOTTIME:
		return offsets()[2];
	default:
		return 0;
	}
}

int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	static int (*real)(clockid_t, struct timespec *);
	int64_t ns;
	int r;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	r = real(clock, ret_now);
	if (r)
		return r;
	ns = ret_now->tv_sec * INT64_C(1000000000) + ret_now->tv_nsec + offset_of(clock);
	ret_now->tv_sec = ns / INT64_C(1000000000);
	ret_now->tv_nsec = ns % INT64_C(1000000000);
	return 0;
}

int gettimeofday(struct timeval *restrict ret_now, __attribute__((unused)) void *restrict zone)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	ret_now->tv_sec = now.tv_sec;
	ret_now->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *ret_now)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret_now)
		*ret_now = now.tv_sec;
	return now.tv_sec;
}
