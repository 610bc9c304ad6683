"""The main job: the whole service under traffic while its phases walk through their stages and come back."""
