/** Job 2: trains a student and its baseline from a cache, through one or more stages. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train;
