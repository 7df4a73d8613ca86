"""The embedded engine: images as overlay snapshots, containers by conmon and crun or runc, bridges, nft and DNS of its own."""
