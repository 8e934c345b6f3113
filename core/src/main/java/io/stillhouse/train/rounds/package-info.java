/** Training in rounds: one worker's steps, and the outer step over all workers. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.train.rounds;
