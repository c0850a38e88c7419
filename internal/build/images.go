package build

import "context"

// jobImages are what nodes pull for a Job.
type jobImages struct{ builder, runtime string }

// jobImages are the released images, or else copies of them, for which the
// credentials of Functions are enough.
func (b *Builder) jobImages(ctx context.Context, in Request) (jobImages, error) {
	images := jobImages{builder: b.BuilderImage, runtime: in.Runtime.Image}
	if !b.CopyImages {
		return images, nil
	}
	for _, image := range []*string{&images.builder, &images.runtime} {
		copied, err := b.Bases.PullReference(ctx, in.Registry, *image)
		if err != nil {
			return jobImages{}, err
		}
		*image = copied
	}
	return images, nil
}

func (b *Builder) jobConfig(images jobImages) JobConfig {
	config := b.JobConfig
	config.BuilderImage = images.builder
	return config
}
