package redisq

import "context"

// LookAtMemory asks for the memory now, as happens once a second.
func (d *Driver) LookAtMemory() { d.memory.lookAll(context.Background()) }

// AskMemory asks the node of a partition.
func (d *Driver) AskMemory(ctx context.Context, partition int) (used, limit int64, err error) {
	return d.askMemory(ctx, partition)
}

// Kept gives how many bytes are kept for a recall.
func (d *Driver) Kept() int64 { return d.recall.bytes.Load() }

// Restored gives how many events were appended again.
func (d *Driver) Restored() int64 { return d.recall.restored.Load() }

// Lost gives how many events could not be restored.
func (d *Driver) Lost() int64 { return d.recall.lost.Load() }
