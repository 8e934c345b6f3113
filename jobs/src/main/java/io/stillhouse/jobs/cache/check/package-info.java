/** Commands that check a cache: verify, vacuum and diff. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.cache.check;
