/** Compares a teacher and its students on held-out text. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.evaluate;
