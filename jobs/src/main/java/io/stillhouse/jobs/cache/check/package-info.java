/**
 * Commands that check a cache or clean it up: {@code verify}, {@code diff} and {@code vacuum}.
 *
 * <p>{@link io.stillhouse.jobs.cache.check.Fidelity} compares stored targets with those of the live
 * teacher.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.cache.check;
